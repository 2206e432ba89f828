"""An engine on a machine that has none: installed, started, and taken away again."""

from __future__ import annotations

import os
from collections.abc import Mapping

from devreg.engine.client import Engine, connect
from devreg.host import engine_setup, packages
from devreg.host.files import is_root
from devreg.host.state import Record
from devreg.model.errors import EngineUnreachable
from devreg.model.events import Listener, Step
from devreg.model.results import StepResult

_PACKAGES, _STARTED, _DATA = "engine_packages", "engine_started", "engine_data"


def answering() -> Engine | None:
    """The engine, None when none answers and one could be set up here.

    Raises EngineUnreachable when none answers and setting one up would not help: another endpoint is configured, or
    this user may neither use an engine nor set one up.
    """
    try:
        return connect()
    except EngineUnreachable:
        if os.environ.get("DOCKER_HOST") or os.environ.get("DOCKER_CONTEXT") or not is_root():
            raise
        return None


def hindrance() -> str | None:
    """Why no engine could run here, however it was set up; None where one might."""
    return None if engine_setup.may_run() else "this machine lacks the rights that an engine needs"


def intention() -> str:
    """What `ensure` is going to do, for the plan."""
    if engine_setup.installed():
        return "start Docker, which is installed but does not answer"
    return f"install {', '.join(engine_setup.PACKAGES)} from the distribution's packages and start Docker"


def recorded(entries: Mapping[str, object]) -> dict[str, str]:
    """What `undo` would take away, by the key under which it is on record."""
    names = entries.get(_PACKAGES)
    count = len(names) if isinstance(names, list) else 0
    return {
        _STARTED: "the running Docker engine, if nothing else is in it",
        _PACKAGES: f"the {count} packages of Docker",
    }


def ensure(record: Record, listener: Listener) -> tuple[Engine, StepResult]:
    """An engine that answers. What is installed or started is recorded first. Raises EngineUnreachable, ServerError."""
    engine = answering()
    if engine is not None:
        return engine, StepResult("engine", "unchanged", f"Docker {engine.info().version} answers at {engine.host}")
    if not engine_setup.installed():
        if not packages.available():
            raise EngineUnreachable(
                "there is no Docker here",
                hint="install it (https://docs.docker.com/engine/install/), then run this again",
            )
        listener(Step(f"installing {', '.join(engine_setup.PACKAGES)}"))
        if not engine_setup.has_data():
            record.note(_DATA, True)
        record.note(_PACKAGES, packages.missing(engine_setup.PACKAGES))  # should the installation be interrupted
        record.note(_PACKAGES, packages.install(engine_setup.PACKAGES))
    if answering() is None:  # where systemd runs, the package has started it
        listener(Step("starting Docker"))
        record.note(_STARTED, engine_setup.start(lambda: answering() is not None))
    engine = connect()
    started = record.entries.get(_STARTED)
    how = f"started by {started['how']}; to stop it: {started['stop']}" if started else "started by its package"
    return engine, StepResult("engine", "changed", f"Docker {engine.info().version}, {how}")


def undo(record: Record, engine: Engine | None, listener: Listener) -> list[StepResult]:
    """Stop the engine and remove the packages, as far as they are on record."""
    results: list[StepResult] = []
    kept = _in_use(engine)
    if kept and (_STARTED in record.entries or _PACKAGES in record.entries):
        return [StepResult("engine", "unchanged", f"Docker stays: it holds {kept} that quickstart has not made")]
    if started := record.entries.get(_STARTED):
        listener(Step("stopping Docker"))
        engine_setup.stop(started)
        record.forget(_STARTED)
        results.append(StepResult("engine", "changed", "stopped"))
    if names := record.entries.get(_PACKAGES):
        listener(Step(f"removing {len(names)} packages"))
        packages.purge(names)
        record.forget(_PACKAGES)
        if record.entries.get(_DATA):
            engine_setup.remove_data()
            record.forget(_DATA)
        results.append(StepResult("packages", "changed", f"removed {', '.join(names)}"))
    return results


def _in_use(engine: Engine | None) -> str | None:
    """What the engine holds that somebody may miss."""
    if engine is None:
        return None
    count = engine.contents()
    parts = [f"{number} {kind}{'s' if number > 1 else ''}" for kind, number in count.items() if number]
    return " and ".join(parts) or None
