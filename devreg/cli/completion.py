"""`devreg completion`: complete devreg's own command lines in a shell."""

from __future__ import annotations

from typing import Annotated

import typer

from devreg.actions.completion import Shell
from devreg.cli.options import Json
from devreg.output import console, document

app = typer.Typer(
    help="Complete commands and names in bash, zsh, fish and PowerShell.", no_args_is_help=True, rich_markup_mode=None
)

Which = Annotated[
    Shell | None, typer.Argument(metavar="SHELL", help="The shell.", show_default="the one that this is called from")
]


def register(root: typer.Typer) -> None:
    """Add this file's commands to the root command."""
    root.add_typer(app, name="completion")


@app.command()
def show(shell: Which = None, as_json: Json = False) -> None:
    """Print the script."""
    from devreg.actions import completion as action

    shell = shell or action.calling_shell()
    text = action.script(shell)
    if as_json:
        document.success("completion show", {"shell": shell, "script": text})
    else:
        console.result(text.removesuffix("\n"))


@app.command()
def install(shell: Which = None, as_json: Json = False) -> None:
    """Put the script where the shell reads it. A second call changes nothing."""
    from devreg.actions import completion as action

    done = action.install(shell or action.calling_shell())
    if as_json:
        document.success("completion install", done, changed=done.changed)
        return
    where = done.file if done.startup is None else f"{done.file}, which {done.startup} reads"
    console.result(f"{done.shell} completes devreg by {where}{'' if done.changed else ' (it did so before)'}")
    console.note(f"new shells do; to have it in this one: {done.now}")
    if done.shell == "bash" and done.startup is None:
        console.note("should a new shell not do so, it does not load bash-completion: put that line into ~/.bashrc")


@app.command()
def uninstall(shell: Which = None, as_json: Json = False) -> None:
    """Take the script away again."""
    from devreg.actions import completion as action

    done = action.uninstall(shell or action.calling_shell())
    if as_json:
        document.success("completion uninstall", done, changed=done.changed)
    else:
        console.result(f"{done.shell} completes devreg no more" if done.changed else "there was no completion")
