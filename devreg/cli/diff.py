"""`devreg diff`."""

from __future__ import annotations

from typing import Annotated

import typer

from devreg.cli.options import Json, Registry, To, default_destination, destination, timeout
from devreg.model.results import Difference
from devreg.output import console, document
from devreg.output.units import counted, size


def register(app: typer.Typer) -> None:
    """Add this file's command to the root command."""
    app.command()(diff)


def diff(
    image: Annotated[str, typer.Argument(help="A local image.")],
    to: To = None,
    registry: Registry = None,
    as_json: Json = False,
) -> None:
    """Compare a local image with the registry's, and tell what a push or a pull would move."""
    from devreg.actions.diff import diff as compare
    from devreg.actions.naming import target
    from devreg.actions.reach import open_engine

    name = target(image, default_destination(registry), destination(to))
    found = compare(open_engine(), image, name, timeout=timeout())
    if as_json:
        document.success("diff", found)
    else:
        for line in _lines(found):
            console.result(line)


def _lines(found: Difference) -> list[str]:
    """What there is to say, for people and for pipes."""
    first = f"{found.image} and {found.reference}: {_STATES[found.state]}"
    if found.state == "same":
        return [first]
    moved = size(found.push_bytes) if found.push_bytes is not None else "an unknown size"
    lines = [first, f"a push would send {counted(found.push_layers, 'layer')}, {moved} unpacked"]
    if found.state == "differs":
        lines.append(f"a pull would fetch {counted(found.pull_layers, 'layer')}, {size(found.pull_bytes)}")
    return lines


_STATES = {"same": "the same", "differs": "they differ", "missing": "missing in the registry"}
