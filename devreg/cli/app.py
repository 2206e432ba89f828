"""The root command."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from devreg import __version__
from devreg.cli import (
    auth,
    bootstrap,
    boundary,
    catalog,
    config,
    diff,
    images,
    push,
    quickstart,
    registry,
    status,
    trust,
)

app = typer.Typer(
    name="devreg",
    help="A private Docker registry made pleasant: trust it, push to it, see what is in it, run it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: importing rich's tables for it would double the start-up time
    context_settings={"help_option_names": ["-h", "--help"]},
)

for commands in (quickstart, push, images, diff, catalog, auth, trust, status, bootstrap, config):
    commands.register(app)
app.add_typer(registry.app, name="registry")


def _version(wanted: bool) -> None:
    if wanted:
        print(f"devreg {__version__}")
        raise typer.Exit


@app.callback()
def root(
    version: Annotated[
        bool, typer.Option("--version", "-V", help="Print the version.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    pass


def main() -> None:
    """The entry point of the installed program."""
    sys.exit(boundary.run(app, sys.argv[1:]))
