"""The registry server as containers: up, down, and how it is."""

from __future__ import annotations

import time
from collections.abc import Iterator

from devreg.actions.serving import server_tls, server_up, users
from devreg.actions.serving.server_files import InContainer
from devreg.actions.serving.server_images import ensure
from devreg.actions.serving.server_lock import server_locked
from devreg.actions.serving.server_up import Settled, Wish, answers
from devreg.engine import containers, networks
from devreg.engine.client import Engine
from devreg.engine.containers import Found
from devreg.host import ports
from devreg.host.signals import uninterrupted
from devreg.model import server_choices
from devreg.model.errors import NotFound, RefusedOverwrite, ServerError
from devreg.model.events import Listener, Step
from devreg.model.results import ServerStatus, ServerUp
from devreg.model.server import SERVER_ROLES, Container, Listen, Role, ServerFile
from devreg.model.server_choices import Choices
from devreg.model.server_tls import Tls
from devreg.server import definition

_START_SECONDS = 60
_POLL_SECONDS = 0.2
_DEFAULTS = Choices()


def up(
    engine: Engine, wish: Wish, listener: Listener, before: Listen | None = None, told: Choices = _DEFAULTS
) -> ServerUp:
    """Run the server; a second call changes nothing, and a call that fails leaves what ran before.

    `before`, `told`: where it was published and what it was told, for one that has no containers now.

    The first user is made when there is none. Raises ServerError, UsageError for a user that cannot be, and
    RefusedOverwrite when a foreign container, network or program is in the way.
    """
    server_up.check(wish)
    server_choices.refuse_loopback(wish.external_auth)
    if not engine.is_local:
        raise ServerError(f"the engine at {engine.host} is not on this machine", hint="run the command on that machine")
    files = InContainer(engine)
    with server_locked():
        existing = containers.find(engine)
        plan = settled(files, existing, wish, listener, before, told)
        images = ensure(engine, wish.images, wish.images_from, listener)
        wanted = definition.containers(plan.listen, images, plan.choices, plan.authorities, wish.memory)
        changed = not matches(existing, wanted)
        if changed:
            exchange(engine, existing, wanted, plan, listener)
        else:
            wait_until_it_answers(engine, plan)
            changed = server_tls.renew(files, plan.certificate, plan.current, listener)
        now = status(engine)
        external = plan.choices.external_auth
        first = (False, None) if external else users.first(files, wish.user, wish.password)
    return server_up.outcome(wish, plan, now, first, listener, changed=changed)


def settled(
    files: InContainer,
    existing: dict[str, Found],
    wish: Wish,
    listener: Listener,
    before: Listen | None = None,
    told: Choices = _DEFAULTS,
) -> Settled:
    """What is wished joined with what is there, see `up`. Raises UsageError, ConfigUnusable."""
    if "nginx" not in existing:
        return server_up.settle(wish, before, told, "", listener)
    current = files.read(ServerFile.CERTIFICATE)
    return server_up.settle(wish, existing["nginx"].listen, files.choices, current, listener)


def published(engine: Engine) -> Listen | None:
    """Where the server is published, running or not; None when it was never started."""
    nginx = containers.find(engine).get("nginx")
    return nginx.listen if nginx else None


def down(engine: Engine, *, volumes: bool, listener: Listener) -> bool:
    """Remove the containers and the network, with `volumes` the data and the users too. True when any was there.

    Volumes that devreg has not made stay.
    """
    with server_locked():
        changed = containers.remove_leftovers(engine)
        for found in sorted(containers.find(engine).values(), key=lambda found: found.role):
            listener(Step(f"stopping {found.name}"))
            containers.remove(engine, found.id)
            changed = True
        changed = networks.remove_network(engine, definition.NETWORK) or changed
        # The socket's volume holds nothing that is worth keeping.
        for volume in definition.VOLUMES if volumes else (definition.SOCKET_VOLUME,):
            changed = networks.remove_volume(engine, volume) or changed
    return changed


def status(engine: Engine) -> ServerStatus:
    """How the server is now. Never raises for a server that is not there."""
    found = containers.find(engine)
    running = len(found) == 2 and all(each.running for each in found.values())
    listen = found["nginx"].listen if "nginx" in found else None
    files, there = InContainer(engine), "nginx" in found
    choices = files.choices if there else Choices()
    encrypted = choices.tls is not Tls.OFF
    return ServerStatus(
        running=running,
        healthy=running and listen is not None and answers(listen, choices),
        address=server_up.called(listen, choices) if listen else None,
        images={role: each.image for role, each in sorted(found.items())},
        users=users.names(files) if there else (),
        volume=definition.DATA_VOLUME if networks.has_volume(engine, definition.DATA_VOLUME) else None,
        tls=server_up.spoken(choices),
        certificate_ends=server_tls.ends(files.read(ServerFile.CERTIFICATE)) if encrypted else None,
        external_auth=choices.external_auth,
    )


def logs(engine: Engine, role: str, *, tail: int | None, follow: bool) -> Iterator[bytes]:
    """What the registry or nginx wrote. Raises NotFound when the server was never started."""
    found = containers.find(engine, (role,))
    if role not in found:
        raise NotFound(f"there is no {role}", hint="`devreg registry up` and `devreg registry mirror up` start them")
    return containers.logs(engine, found[role].id, tail=tail, follow=follow)


def matches(existing: dict[str, Found], wanted: tuple[Container, ...]) -> bool:
    """Whether the containers are what is wanted, and run."""
    return all(
        (found := existing.get(container.role)) and found.running and found.fingerprint == container.fingerprint
        for container in wanted
    )


def exchange(
    engine: Engine,
    existing: dict[str, Found],
    wanted: tuple[Container, ...],
    plan: Settled,
    listener: Listener,
    network: str = definition.NETWORK,
) -> None:
    """Put the wanted containers where the existing are, which come back when the new ones do not answer.

    Raises ServerError with what the new ones said, RefusedOverwrite when something is in the way.
    """
    for container in wanted:
        containers.refuse_foreign(engine, container.name)
    _refuse_busy(engine, plan.listen, existing)
    network = networks.ensure_network(engine, network)
    for volume in sorted({volume for container in wanted for volume in container.mounts.values()}):
        networks.ensure_volume(engine, volume)
    containers.remove_leftovers(engine)
    created: list[str] = []
    try:
        for found in existing.values():
            containers.set_aside(engine, found)
        for container in wanted:
            listener(Step(f"starting {container.name} from {container.image}"))
            created.append(containers.create(engine, container, network))
            if plan.certificate and container.role == "nginx":
                containers.put_secret(engine, created[-1], definition.TLS_FILE, plan.certificate.pem)
            containers.start(engine, created[-1])
        wait_until_it_answers(engine, plan, tuple(container.role for container in wanted))
    except BaseException:
        with uninterrupted():
            for id in created:
                containers.remove(engine, id)
            for found in existing.values():
                containers.bring_back(engine, found)
        raise
    containers.remove_leftovers(engine)


def _refuse_busy(engine: Engine, listen: Listen, existing: dict[str, Found]) -> None:
    holder = containers.publisher(engine, listen)
    ours = any(found.running and found.listen and found.listen.collides(listen) for found in existing.values())
    who = f"the container {holder}" if holder else None if ours else ports.holder(listen)
    if who:
        raise RefusedOverwrite(
            f"{listen} is in use by {who}", hint="choose another with --listen ADDR:PORT, or stop what is there"
        )


def wait_until_it_answers(engine: Engine, plan: Settled, roles: tuple[Role, ...] = SERVER_ROLES) -> None:
    """Return when reads are answered. Raises ServerError when a container stops, or after a minute."""
    deadline = time.monotonic() + _START_SECONDS
    while not answers(plan.listen, plan.choices):
        for found in containers.find(engine, roles).values():
            if not found.running:
                said = containers.last_line(engine, found.id)
                raise ServerError(f"{found.name} stopped: {said}", hint="mend what it says, then run the command again")
        if time.monotonic() > deadline:
            raise ServerError(
                f"the registry does not answer at {plan.listen.address} within {_START_SECONDS} s",
                hint="does a firewall or a proxy stand between? `devreg registry logs nginx` shows what arrives",
            )
        time.sleep(_POLL_SECONDS)
