"""`devreg trust`, `devreg untrust`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from devreg.cli import trust_ca
from devreg.cli.options import Json, Yes, agreed, settings
from devreg.model.address import Address
from devreg.model.errors import UsageError
from devreg.output import console, document, tables

if TYPE_CHECKING:
    from devreg.actions.trust import Plan, Wish
    from devreg.model.results import Trusted

Where = Annotated[list[str] | None, typer.Argument(metavar="ADDRESS", help="The registries.", show_default=False)]
Restart = Annotated[bool, typer.Option("--restart", help="Restart the engine instead of reloading it.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")]
Diff = Annotated[bool, typer.Option("--diff", help="Show the change of the file.")]
Force = Annotated[bool, typer.Option("--force", help="Bring along changes that others have not reloaded yet.")]
Kind = Annotated[
    str | None,
    typer.Option(
        "--engine",
        metavar="KIND",
        help="docker, podman, containerd, k3s, buildkit or buildx:BUILDER; found by itself if left out.",
        show_default=False,
    ),
]


def register(app: typer.Typer) -> None:
    """Add this file's commands to the root command."""
    for command in (trust, untrust):
        app.command()(command)


def trust(
    addresses: Where = None,
    restart: Restart = False,
    dry_run: DryRun = False,
    diff: Diff = False,
    force: Force = False,
    ca: Annotated[
        str | None,
        typer.Option(
            metavar="FILE|fetch",
            help="Trust this CA for the registry instead: a PEM file, or what the registry shows.",
            show_default=False,
        ),
    ] = None,
    fingerprint: Annotated[
        str, typer.Option(metavar="SHA256", help="Of the certificate to fetch.", show_default=False)
    ] = "",
    cert: Annotated[
        Path | None, typer.Option(metavar="FILE", help="A client's certificate, with --ca.", show_default=False)
    ] = None,
    key: Annotated[Path | None, typer.Option(metavar="FILE", help="Its key, with --ca.", show_default=False)] = None,
    undo: Annotated[
        bool, typer.Option("--undo", help="Take away all that devreg has added, and nothing else.")
    ] = False,
    kind: Kind = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Let the engine use registries over plain HTTP or with certificates that it cannot verify.

    Adds them to insecure-registries in daemon.json (or what the engine has instead), reloads the engine, asks it, and
    has it reach the registry; puts everything back if that fails.
    """
    if undo and addresses:
        raise UsageError("--undo takes no addresses", hint="`devreg untrust ADDRESS` takes away a single one")
    wish = _asked(addresses, restart, force, trusted=True)
    if ca is not None:
        if undo or dry_run or diff or restart:
            raise UsageError("--ca goes with none of --undo, --dry-run, --diff, --restart", hint="leave them out")
        trust_ca.change(wish.addresses, trust_ca.Given(ca, fingerprint, cert, key, force), kind, as_json)
        return
    if fingerprint or cert or key:
        raise UsageError("--fingerprint, --cert and --key go with --ca", hint="give --ca FILE or --ca fetch")
    _change("trust", wish, kind, undo, dry_run, diff, yes, as_json)


def untrust(
    addresses: Where = None,
    restart: Restart = False,
    dry_run: DryRun = False,
    diff: Diff = False,
    force: Force = False,
    kind: Kind = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Take that trust away again."""
    _change("untrust", _asked(addresses, restart, force, trusted=False), kind, False, dry_run, diff, yes, as_json)


def _asked(addresses: list[str] | None, restart: bool, force: bool, *, trusted: bool) -> Wish:
    from devreg.actions.trust import Wish

    given = addresses or [settings.get("registry").value]
    distinct = dict.fromkeys(Address.parse(each) for each in given)
    return Wish(tuple(distinct), trusted=trusted, restart=restart, force=force)


def _change(
    command: str, wish: Wish, kind: str | None, undo: bool, dry_run: bool, diff: bool, yes: bool, as_json: bool
) -> None:
    from devreg.actions import trust as action
    from devreg.actions.trust_target import target
    from devreg.output.progress import reporting

    with reporting() as listener:
        flavour = target(kind, listener=listener)
    if undo:
        wish = action.undoing(flavour, wish)
    found = action.plan(flavour, wish) if dry_run or diff or action.restarts(flavour, wish) else None
    if dry_run and found:
        _show(command, found, replace(action.planned(found, wish), diff=found.diff, dry_run=True), as_json)
        return
    if found:
        _warn(found, diff and not as_json, yes)
    with reporting() as listener:
        done = action.carry_out(flavour, wish, listener=listener)
        if not wish.trusted:
            done = action.without_ca(flavour, wish, done, everything=undo, listener=listener)
    if as_json:
        shown = replace(done, diff=found.diff) if found and diff else done
        document.success(command, shown, changed=done.changed)
    else:
        console.result(_sentence(wish, done))


def _warn(found: Plan, diff: bool, yes: bool) -> None:
    """Show the change if asked to, and ask before containers stop."""
    if diff:
        console.note(found.diff.rstrip("\n"))
    if found.stops:
        names = (f"{each.name}{'' if each.comes_back else ' (for good)'}" for each in found.stops)
        console.note(f"restarting the engine stops {', '.join(names)}")
        agreed("Go on?", yes)


def _show(command: str, found: Plan, would: Trusted, as_json: bool) -> None:
    if as_json:
        document.success(command, would, changed=would.changed)
        return
    if not found.changed:
        console.result(f"{', '.join(would.addresses) or 'nothing'}: nothing would be changed")
        return
    stops = ", ".join(container.name for container in found.stops)
    tables.pairs(
        [
            ("engine", found.flavour),
            ("file", found.file),
            ("applied by", {"none": "the next use"}.get(found.applied, found.applied)),
            ("stops", stops or "-"),
        ]
    )
    console.result(found.diff.rstrip("\n"))


def _sentence(wish: Wish, done: Trusted) -> str:
    names = ", ".join(done.addresses)
    if not done.changed:
        if not done.addresses:
            return "devreg has added nothing here; nothing was changed"
        state = "trusted already" if wish.trusted else "not in the list"
        return f"{names}: {state}; nothing was changed"
    how = {"reload": "engine reloaded and asked", "restart": "engine restarted and asked"}.get(
        done.applied, "in force from the next use on"
    )
    verb = "trusts" if wish.trusted else "no longer trusts"
    kept = f"; the file before: {done.backup}" if done.backup else ""
    who = {"rootful": "Docker", "rootless": "Docker"}.get(done.flavour, done.flavour)
    return f"{who} {verb} {names}: {done.file} changed, {how}{kept}"
