"""The root command."""

from __future__ import annotations

from typing import Annotated, ClassVar

import typer

from devreg import __version__
from devreg.cli.lazy import LazyGroup


class Commands(LazyGroup):
    """The table of contents of devreg, in the order of `devreg --help`."""

    contents: ClassVar = {
        "quickstart": ("quickstart", "Set everything up and show it working."),
        "push": ("push", "Push local images, or images in archives, to the registry."),
        "pull": ("images", "Pull images from the registry, and compare what came with what it has."),
        "tag": ("images", "Give a local image its name in the registry."),
        "diff": ("diff", "Compare a local image with the registry's, and tell what a push or a pull would move."),
        "repos": ("catalog", "List the repositories of a registry."),
        "tags": ("catalog", "List the tags of repositories."),
        "latest": ("latest", "Tell which versions a tag stands for, and which version is the newest."),
        "inspect": ("inspect", "Show what an image in the registry is made of."),
        "tree": ("tree", "Show which layers the tags of a repository share, and what each alone costs."),
        "copy": ("copy", "Copy images within a registry, or to another, without pulling them."),
        "retag": ("copy", "Give an image in the registry more tags."),
        "rm": ("rm", "Delete tags, or manifests with every tag on them."),
        "prune": ("prune", "Delete the tags that nobody needs any more: shows a plan first."),
        "login": ("auth", "Log in to a registry."),
        "logout": ("auth", "Forget the credentials of a registry."),
        "trust": (
            "trust",
            "Let the engine use registries over plain HTTP or with certificates that it cannot verify.",
        ),
        "untrust": ("trust", "Take that trust away again."),
        "status": ("status", "How things are: engine, trust and whether it has drifted, registry, login."),
        "bootstrap": (
            "bootstrap",
            "Bring about what a devreg.toml declares: trust, logins, images, the default registry.",
        ),
        "config": ("config", "Show the settings, or set one."),
        "cache": ("cache", "Show what devreg keeps of registries, or forget it."),
        "registry": ("registry", "Run a registry: anybody may pull, users may push."),
        "completion": ("completion", "Complete commands and names in bash, zsh, fish and PowerShell."),
    }


app = typer.Typer(
    name="devreg",
    cls=Commands,
    add_completion=False,  # `devreg completion` does it
    help="A private Docker registry made pleasant: trust it, push to it, see what is in it, run it.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,  # plain help: importing rich's tables for it would double the start-up time
    context_settings={"help_option_names": ["-h", "--help"]},
)


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
