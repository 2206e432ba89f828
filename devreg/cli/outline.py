"""The command tree as data, for completion: importing the commands themselves would take longer than anybody waits.

`python -m devreg.cli.outline` writes it anew; a test compares it with the commands.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypedDict

if TYPE_CHECKING:
    import typer

_FILE = Path(__file__).with_name("outline.json")


class Parameter(TypedDict):
    """An argument or an option.

    `names`: of an option, `--json` and the like; none of an argument. `value`: what help calls its value, None for a
    flag. `choices`: all that it may be, where that is limited. `many`: whether it may be repeated.
    """

    names: list[str]
    help: str
    value: str | None
    choices: list[str]
    many: bool


class Command(TypedDict):
    """A command or a group of them, the root too."""

    help: str
    commands: dict[str, Command]
    arguments: list[Parameter]
    options: list[Parameter]


def known() -> Command:
    """The outline that lies beside this file."""
    outline: Command = json.loads(_FILE.read_bytes())
    return outline


def drawn(app: typer.Typer) -> str:
    """The text of the outline of an app."""
    import typer

    return json.dumps(_command(typer.main.get_command(app)), indent=1, ensure_ascii=False) + "\n"


def _command(command: Any) -> Command:
    import typer

    context = typer.Context(command, help_option_names=["-h", "--help"])
    parameters = [each for each in command.get_params(context) if not each.hidden]
    commands = getattr(command, "commands", {})
    return {
        "help": _first_line(command.help),
        "commands": {name: _command(commands[name]) for name in commands},
        "arguments": [_parameter(each, [], context) for each in parameters if each.param_type_name == "argument"],
        "options": [
            _parameter(each, _long_first(each.opts), context) for each in parameters if each.param_type_name == "option"
        ],
    }


def _parameter(parameter: Any, names: list[str], context: typer.Context) -> Parameter:
    choices = parameter.shell_complete(context, "")
    is_flag = bool(names) and parameter.is_flag
    return {
        "names": names,
        "help": _first_line(parameter.help),
        "value": None if is_flag else parameter.metavar or parameter.name.upper(),
        "choices": [each.value for each in choices],
        "many": bool(parameter.multiple if names else parameter.nargs == -1),
    }


def _long_first(names: list[str]) -> list[str]:
    """The names of an option in an order that is the same each time: typer keeps those of --help in a set."""
    return sorted(names, key=lambda name: not name.startswith("--"))


def _first_line(text: str | None) -> str:
    return (text or "").strip().partition("\n")[0]


if __name__ == "__main__":
    from devreg.cli.app import app

    _FILE.write_text(drawn(app), encoding="utf-8")
