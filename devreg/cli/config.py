"""`devreg config`, `devreg config set`."""

from __future__ import annotations

from typing import Annotated

import typer

from devreg.cli.options import Json, settings
from devreg.output import console, document, tables
from devreg.settings import SETTINGS, user_file

_KEYS = "\n".join(f"{each.key:<15} {each.help}" for each in SETTINGS.values())

group = typer.Typer(invoke_without_command=True, rich_markup_mode=None)


def register(app: typer.Typer) -> None:
    """Add this file's commands to the root command."""
    app.add_typer(group, name="config")


@group.callback(help=f"Show the settings, or set one.\n\n\b\n{_KEYS}")
def show(context: typer.Context, as_json: Json = False) -> None:
    """Show the settings, or set one."""
    if context.invoked_subcommand:
        return
    values = settings.all()
    if as_json:
        document.success("config", {"settings": values, "file": str(user_file())})
    else:
        tables.triples(("SETTING", "VALUE", "FROM"), [(each.key, each.value, each.source) for each in values])


@group.command("set")
def set_(
    key: Annotated[str, typer.Argument(help="The setting.")],
    value: Annotated[str, typer.Argument(help="Its value.")],
    as_json: Json = False,
) -> None:
    """Write one setting into the user's config.toml."""
    from devreg.actions import config as action

    changed = action.set_value(user_file(), key, value)
    if as_json:
        document.success("config set", {"key": key, "value": value, "file": str(user_file())}, changed=changed)
    else:
        console.result(f"{key} = {value} in {user_file()}{'' if changed else ' (it was so before)'}")
