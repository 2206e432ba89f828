"""`devreg status`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from devreg.cli.options import Json, Registry, settings, timeout
from devreg.model.address import Address
from devreg.output import document, tables

if TYPE_CHECKING:
    from devreg.model.results import Overview


def register(app: typer.Typer) -> None:
    """Add this file's command to the root command."""
    app.command()(status)


def status(registry: Registry = None, as_json: Json = False) -> None:
    """How things are: engine, trust and whether it has drifted, registry, login."""
    from devreg.actions import overview as action

    setting = settings.get("registry", registry)
    state = action.overview(Address.parse(setting.value), setting.source, timeout=timeout())
    if as_json:
        document.success("status", state)
    else:
        tables.pairs(_rows(state))


def _rows(state: Overview) -> list[tuple[str, str]]:
    engine, registry = state.engine, state.registry
    rows = [("engine", engine.error or f"{engine.version} at {engine.host} ({engine.storage_driver})")]
    rows.append(("trusts as insecure", ", ".join(engine.insecure) or "-"))
    rows += [("drift", f"{each.address} {each.kind}") for each in state.drift]
    rows.append(("registry", f"{registry.address} (from {registry.source})"))
    rows.append(("reachable", f"yes, {registry.url}" if registry.reachable else f"no: {registry.error}"))
    rows.append(("logged in as", registry.username or "-"))
    return rows
