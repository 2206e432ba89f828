"""Take away what the tour has set up, as far as it is on record, last thing first."""

from __future__ import annotations

from contextlib import suppress

from devreg.actions import login as logins
from devreg.actions import provision
from devreg.actions import trust as trusts
from devreg.actions.quickstart import LOGIN, RECORD, RUNTIME, SERVER, SERVER_IMAGES, TRUST, USER
from devreg.actions.quickstart_image import IMAGES, PUSHED
from devreg.actions.reach import open_registry
from devreg.actions.serving import users
from devreg.actions.serving.serve_containers import Containers
from devreg.actions.serving.serve_processes import Processes
from devreg.actions.serving.server_runtime import Started
from devreg.engine import images
from devreg.engine.client import Engine
from devreg.flavours.found import found
from devreg.host.state import Record, state_folder
from devreg.model.address import Address
from devreg.model.errors import DevregError, EngineUnreachable
from devreg.model.events import Listener
from devreg.model.results import StepResult
from devreg.model.server_processes import Runtime

_OF_SERVER = {USER, SERVER}
_IN_ENGINE = {IMAGES, SERVER_IMAGES, TRUST}


def recorded() -> tuple[str, ...]:
    """What `undo` would take away, a line each; empty when there is nothing."""
    entries = Record(RECORD).entries
    lines = {
        LOGIN: f"the login at {entries.get(LOGIN)}",
        IMAGES: "the tour's image in Docker",
        USER: f"the registry's user {entries.get(USER)}",
        SERVER: "the registry with every image in it, and its users",
        SERVER_IMAGES: "the images that it runs from",
        TRUST: f"Docker's trust in {entries.get(TRUST)}",
        **provision.recorded(entries),
    }
    return tuple(line for key, line in lines.items() if key in entries)


def undo(listener: Listener, *, timeout: float) -> tuple[StepResult, ...]:
    """Take it away. Raises EngineUnreachable when there is something in an engine that does not answer."""
    record = Record(RECORD)
    processes = record.entries.get(RUNTIME) == Runtime.PROCESSES.value
    in_engine = (_IN_ENGINE if processes else _IN_ENGINE | _OF_SERVER) & record.entries.keys()
    provided = provision.recorded(record.entries).keys() & record.entries.keys()
    engine = provision.answering() if in_engine or provided else None
    if engine is None and in_engine:
        raise EngineUnreachable(
            "Docker does not answer, and what quickstart has made is in it", hint="start Docker, then run this again"
        )
    steps = _unpush(record, timeout)
    steps += _forget_login(record)
    if engine:
        steps += _remove_images(engine, record)
    if server := Processes() if processes else Containers(engine) if engine else None:
        steps += _remove_user(server, record)
        steps += _remove_server(server, record, listener)
    if engine:
        steps += _remove_server_images(engine, record)
        steps += _untrust(engine, record, listener)
    if RUNTIME in record.entries:
        record.forget(RUNTIME)
    return (*steps, *provision.undo(record, engine, listener))


def _unpush(record: Record, timeout: float) -> list[StepResult]:
    """Delete what was pushed, for a registry that stays."""
    if PUSHED not in record.entries:
        return []
    address, repository, digest = record.entries[PUSHED]
    deleted = False
    if SERVER not in record.entries:
        with suppress(DevregError), open_registry(Address.parse(address), timeout=timeout) as registry:
            registry.delete_manifest(repository, digest)
            deleted = True
    record.forget(PUSHED)
    return [StepResult("push", "changed", f"deleted {repository}@{digest}")] if deleted else []


def _forget_login(record: Record) -> list[StepResult]:
    address = record.entries.get(LOGIN)
    if not address:
        return []
    logins.logout(Address.parse(address))
    record.forget(LOGIN)
    return [StepResult("login", "changed", f"logged out of {address}")]


def _remove_images(engine: Engine, record: Record) -> list[StepResult]:
    names = record.entries.get(IMAGES)
    if not names:
        return []
    gone = [name for name in names if images.remove(engine, name)]
    record.forget(IMAGES)
    return [StepResult("image", "changed", f"removed {' and '.join(gone)} from Docker")] if gone else []


def _remove_user(server: Started, record: Record) -> list[StepResult]:
    user = record.entries.get(USER)
    if not user:
        return []
    with suppress(DevregError):  # the server or the user may be gone: that is what is wanted
        users.remove(server.files, user)
    record.forget(USER)
    return [StepResult("user", "changed", f"removed {user}")]


def _remove_server(server: Started, record: Record, listener: Listener) -> list[StepResult]:
    if SERVER not in record.entries:
        return []
    if record.entries[SERVER] not in ("", server.identity()):  # empty: the run was interrupted
        record.forget(SERVER)
        record.forget(SERVER_IMAGES)
        return [StepResult("registry", "unchanged", "it is not the one that quickstart has made: it stays")]
    server.down(volumes=True, listener=listener)
    record.forget(SERVER)
    return [StepResult("registry", "changed", "removed, with its data")]


def _remove_server_images(engine: Engine, record: Record) -> list[StepResult]:
    names = record.entries.get(SERVER_IMAGES)
    if not names:
        return []
    gone = [name for name in names if images.remove(engine, name)]
    record.forget(SERVER_IMAGES)
    return [StepResult("registry images", "changed", f"removed {' and '.join(gone)}")] if gone else []


def _untrust(engine: Engine, record: Record, listener: Listener) -> list[StepResult]:
    address = record.entries.get(TRUST)
    if not address:
        return []
    wish = trusts.Wish((Address.parse(address),), trusted=False)
    trusts.carry_out(found(engine, state_folder()), wish, listener=listener)
    record.forget(TRUST)
    return [StepResult("trust", "changed", f"Docker no longer trusts {address}")]
