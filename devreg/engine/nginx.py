"""nginx in a running container, as the engine sees and signals it."""

from __future__ import annotations

from functools import partial

from devreg.engine.client import Engine
from devreg.engine.errors import translated
from devreg.model.errors import ServerError

_translated = partial(translated, refused=ServerError)


def hang_up(engine: Engine, id: str) -> None:
    """Tell nginx to read its configuration anew."""
    with _translated("reload nginx"):
        engine.client.containers.get(id).kill(signal="HUP")


def titles(engine: Engine, id: str) -> dict[int, str]:
    """The processes in the container by their ids: what each says that it is."""
    with _translated("look at the workers of nginx"):
        table = engine.client.containers.get(id).top(ps_args="-o pid,args")
    return {int(row[0]): str(row[-1]) for row in table["Processes"]}
