"""`devreg trust`, `devreg untrust`, `devreg status`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from devreg.cli.options import Json, Registry, Yes, agreed, settings, timeout
from devreg.model.address import Address
from devreg.output import console, document, tables

if TYPE_CHECKING:
    from devreg.model.results import Overview, Trusted

Where = Annotated[str | None, typer.Argument(metavar="ADDRESS", help="The registry.", show_default=False)]
Restart = Annotated[bool, typer.Option("--restart", help="Restart Docker instead of reloading it.")]


def register(app: typer.Typer) -> None:
    """Add this file's commands to the root command."""
    for command in (trust, untrust, status):
        app.command()(command)


def trust(address: Where = None, restart: Restart = False, yes: Yes = False, as_json: Json = False) -> None:
    """Let Docker use a registry over plain HTTP.

    Adds it to insecure-registries in daemon.json, reloads Docker and asks it; puts everything back if that fails.
    """
    _change("trust", address, restart, yes, as_json)


def untrust(address: Where = None, restart: Restart = False, yes: Yes = False, as_json: Json = False) -> None:
    """Take that trust away again."""
    _change("untrust", address, restart, yes, as_json)


def status(registry: Registry = None, as_json: Json = False) -> None:
    """How things are: engine, trust, registry, login."""
    from devreg.actions import overview as action

    setting = settings.get("registry", registry)
    state = action.overview(Address.parse(setting.value), setting.source, timeout=timeout())
    if as_json:
        document.success("status", state)
    else:
        tables.pairs(_rows(state))


def _change(command: str, given: str | None, restart: bool, yes: bool, as_json: bool) -> None:
    from devreg.actions import trust as action
    from devreg.actions.reach import open_engine
    from devreg.output.progress import reporting

    address = Address.parse(settings.get("registry", given).value)
    engine = open_engine()
    if restart:
        plan = action.plan(engine, address, trusted=command == "trust")
        if plan.changed and plan.stops:
            names = (f"{each.name}{'' if each.comes_back else ' (for good)'}" for each in plan.stops)
            console.note(f"restarting Docker stops {', '.join(names)}")
            agreed("Go on?", yes)
    carry_out = action.trust if command == "trust" else action.untrust
    with reporting() as listener:
        done = carry_out(engine, address, restart=restart, listener=listener)
    if as_json:
        document.success(command, done, changed=done.changed)
    else:
        console.result(_sentence(command, done))


def _sentence(command: str, done: Trusted) -> str:
    if not done.changed:
        state = "trusted already" if command == "trust" else "not in the list"
        return f"{done.address} is {state}; nothing was changed"
    how = {"reload": "reloaded", "restart": "restarted", "none": "left alone"}[done.applied]
    verb = "trusts" if command == "trust" else "no longer trusts"
    kept = f"; the file before: {done.backup}" if done.backup else ""
    return f"Docker {verb} {done.address}: {done.file} changed, engine {how} and asked{kept}"


def _rows(state: Overview) -> list[tuple[str, str]]:
    engine, registry = state.engine, state.registry
    rows = [("engine", engine.error or f"{engine.version} at {engine.host} ({engine.storage_driver})")]
    rows.append(("trusts as insecure", ", ".join(engine.insecure) or "-"))
    rows.append(("registry", f"{registry.address} (from {registry.source})"))
    rows.append(("reachable", f"yes, {registry.url}" if registry.reachable else f"no: {registry.error}"))
    rows.append(("logged in as", registry.username or "-"))
    return rows
