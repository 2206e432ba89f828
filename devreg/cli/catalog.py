"""`devreg repos`, `devreg tags`."""

from __future__ import annotations

from typing import Annotated

import typer

from devreg.cli.options import Json, Registry, settings, timeout
from devreg.model.address import Address
from devreg.model.errors import DevregError, PartlyDone
from devreg.output import document, tables


def register(app: typer.Typer) -> None:
    """Add this file's commands to the root command."""
    app.command()(repos)
    app.command()(tags)


def repos(
    address: Annotated[str | None, typer.Argument(metavar="ADDRESS", help="The registry.", show_default=False)] = None,
    registry: Registry = None,
    as_json: Json = False,
) -> None:
    """List the repositories of a registry."""
    from devreg.actions import catalog as action

    setting = settings.get("registry", registry if address is None else address)
    found = action.repositories(Address.parse(setting.value), timeout=timeout())
    if as_json:
        document.success("repos", {"repositories": found})
    else:
        tables.repositories(found)


def tags(
    repository: Annotated[str, typer.Argument(metavar="REPO", help="A repository, with or without its registry.")],
    registry: Registry = None,
    as_json: Json = False,
) -> None:
    """List the tags of a repository.

    With digest, size, age and platforms. In a pipe: tab-separated name, digest, bytes, time, platforms.
    """
    from devreg.actions import catalog as action

    default = Address.parse(settings.get("registry", registry).value)
    found = action.tags(repository, default=default, timeout=timeout())
    unread = [tag for tag in found if tag.error]
    if as_json:
        errors: list[DevregError] = [
            PartlyDone(f"{tag.name}: {tag.error}", hint="run the command again") for tag in unread
        ]
        document.success("tags", {"tags": found}, ok=not unread, errors=errors)
    else:
        tables.tags(found)
    if unread:
        names = ", ".join(tag.name for tag in unread)
        raise PartlyDone(f"could not read {names}: {unread[0].error}", hint="run the command again")
