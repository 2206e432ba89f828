"""The server's configuration files as texts, from the templates beside this file."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from devreg.model.server import LOG, SCRATCH_BYTES, Front, NginxProcess, Store
from devreg.model.server_processes import Place, Program

if TYPE_CHECKING:
    from jinja2 import Environment


def registry(store: Store) -> str:
    """The registry's config.yml."""
    return _environment().get_template("registry.yml").render(store=store)


def nginx(front: Front, process: NginxProcess) -> str:
    """A whole nginx.conf, for an nginx that does nothing else."""
    return _environment().get_template("nginx.conf").render(front=front, process=process)


def render(template: str, **values: object) -> str:
    """Any other of the templates."""
    return _environment().get_template(template).render(**values)


def supervisor(place: Place, programs: tuple[Program, ...], *, socket: str, as_root: bool) -> str:
    """supervisord's configuration. `socket`: its own, below the folder that it is started in."""
    template = _environment().get_template("supervisord.conf")
    return template.render(place=place, programs=programs, socket=socket, as_root=as_root)


def whole_group() -> str:
    """The script that ends with a program all that it has started."""
    return _environment().get_template("whole_group.sh").render()


@cache
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("devreg.server"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - nothing here is HTML; what users give is checked where it is parsed
    )
    environment.globals.update(scratch_bytes=SCRATCH_BYTES, log=LOG)
    return environment
