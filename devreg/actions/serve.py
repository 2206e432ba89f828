"""The registry server: up, down, and how it is."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from devreg.actions import external_auth, server_tls, users
from devreg.actions.server_images import ensure
from devreg.actions.server_tls import Material
from devreg.engine import containers, networks
from devreg.engine.client import Engine
from devreg.engine.containers import Found
from devreg.host import ports
from devreg.host.files import locked
from devreg.host.signals import uninterrupted
from devreg.host.state import state_folder
from devreg.model.address import Address
from devreg.model.errors import DevregError, NotFound, RefusedOverwrite, ServerError, UsageError
from devreg.model.events import Listener, Step, Warn
from devreg.model.results import ServerStatus, ServerUp
from devreg.model.server import Container, ImagesFrom, Listen, ServerImages
from devreg.model.server_choices import Choices
from devreg.model.server_tls import Certificate, Tls
from devreg.model.tls import connection
from devreg.registry.client import connect
from devreg.server import definition, htpasswd

_START_SECONDS = 60
_POLL_SECONDS = 0.2
_LOCK = "server.lock"
_HTTPS = 443


@dataclass(frozen=True)
class Wish:
    """What `up` is asked for. `listen` None: where the server is now, else `default_listen`.

    `user` is made when there are no users yet, with `password`, or a generated one for None. `tls`, `domains` and the
    `external_auth` URL (with the file of its authorities): None or () leave what the server was told before; a URL of
    `off` takes it away. `plain_http`: whether passwords may cross the network in the clear.
    """

    listen: Listen | None
    default_listen: Listen
    images: ServerImages
    images_from: ImagesFrom
    user: str
    password: str | None = None
    tls: Tls | Certificate | None = None
    domains: tuple[str, ...] = ()
    external_auth: str | None = None
    external_auth_ca: str | None = None
    plain_http: bool = False


def up(engine: Engine, wish: Wish, listener: Listener) -> ServerUp:
    """Run the server; a second call changes nothing, and a call that fails leaves what ran before.

    The first user is made when there is none. Raises ServerError, UsageError for a user that cannot be, and
    RefusedOverwrite when a foreign container, network or program is in the way.
    """
    htpasswd.check(wish.user, wish.password if wish.password is not None else "generated")
    if not engine.is_local:
        raise ServerError(f"the engine at {engine.host} is not on this machine", hint="run the command on that machine")
    with locked(state_folder() / _LOCK):
        existing = containers.find(engine)
        where = wish.listen or published(engine) or wish.default_listen
        choices = _choices(existing, wish)
        _refuse_plain(engine, choices, where, wish)
        current = server_tls.in_force(engine)
        certificate = server_tls.material(choices, where, current, listener)
        images = ensure(engine, wish.images, wish.images_from, listener)
        wanted = definition.containers(where, images, choices, external_auth.authorities(choices))
        changed = not _matches(existing, wanted)
        if changed:
            _replace(engine, existing, wanted, where, choices, certificate, listener)
        else:
            _wait_until_it_answers(engine, where, choices)
            changed = server_tls.renew(engine, certificate, current, listener)
        now = status(engine)
        made, generated = (False, None) if choices.external_auth else users.first(engine, wish.user, wish.password)
    if wish.password is not None and not made:
        listener(Warn(f"{wish.user} is as before: {_why_no_user(choices)}"))
    if choices.tls is Tls.OFF and not where.is_loopback:
        listener(Warn(f"{where} is plain HTTP: passwords cross the network in the clear; put TLS in front of it"))
    external_auth.warn(choices, listener)
    if made:
        now = replace(now, users=(wish.user,))
    return ServerUp(now, changed or made, wish.user if made else None, generated, server_tls.authority(certificate))


def _choices(existing: dict[str, Found], wish: Wish) -> Choices:
    """What was said before, and now."""
    kept = Choices.of_text(existing["nginx"].choices) if "nginx" in existing else Choices()
    choices = kept.but(
        tls=wish.tls,
        domains=wish.domains,
        external_auth=wish.external_auth,
        external_auth_ca=wish.external_auth_ca,
    )
    if wish.domains and choices.tls is Tls.OFF:
        raise UsageError(
            "names are for certificates, and the server speaks plain HTTP",
            hint="give --tls self-signed or --tls CERTIFICATE,KEY, or leave --domain out",
        )
    if wish.external_auth_ca and not (wish.external_auth or "").startswith("https:"):
        raise UsageError(
            "an authority is for a service that is asked over HTTPS", hint="give --external-auth https://… with it"
        )
    return choices


def _why_no_user(choices: Choices) -> str:
    if choices.external_auth:
        return f"{choices.external_auth} says who may push"
    return "there are users already; see `devreg registry user add`"


def _refuse_plain(engine: Engine, choices: Choices, where: Listen, wish: Wish) -> None:
    """Beyond this machine plain HTTP has to be asked for, or to be there already."""
    if choices.tls is not Tls.OFF or where.is_loopback or wish.plain_http:
        return
    if wish.tls is None and where == published(engine):
        return
    raise UsageError(
        f"at {where} others can connect, and over plain HTTP passwords would cross the network in the clear",
        hint="give --tls self-signed or --tls CERTIFICATE,KEY; or --plain-http, say behind a proxy that speaks TLS",
    )


def published(engine: Engine) -> Listen | None:
    """Where the server is published, running or not; None when it was never started."""
    nginx = containers.find(engine).get("nginx")
    return nginx.listen if nginx else None


def down(engine: Engine, *, volumes: bool, listener: Listener) -> bool:
    """Remove the containers and the network, with `volumes` the data and the users too. True when any was there.

    Volumes that devreg has not made stay.
    """
    with locked(state_folder() / _LOCK):
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
    choices = Choices.of_text(found["nginx"].choices) if "nginx" in found else Choices()
    encrypted = choices.tls is not Tls.OFF
    return ServerStatus(
        running=running,
        healthy=running and listen is not None and _answers(listen, choices),
        address=_called(listen, choices) if listen else None,
        images={role: each.image for role, each in sorted(found.items())},
        users=users.names(engine) if "nginx" in found else (),
        volume=definition.DATA_VOLUME if networks.has_volume(engine, definition.DATA_VOLUME) else None,
        tls=choices.tls.value if isinstance(choices.tls, Tls) else "given",
        certificate_ends=server_tls.ends(server_tls.in_force(engine)) if encrypted else None,
        external_auth=choices.external_auth,
    )


def _called(listen: Listen, choices: Choices) -> str:
    """What to call the server: by its first name, where it has one."""
    names = [name for name in choices.domains if not name.startswith("*")]
    if choices.tls is Tls.OFF or not names:
        return listen.address
    host = f"[{names[0]}]" if ":" in names[0] else names[0]
    return host if listen.port == _HTTPS else f"{host}:{listen.port}"


def logs(engine: Engine, role: str, *, tail: int | None, follow: bool) -> Iterator[bytes]:
    """What the registry or nginx wrote. Raises NotFound when the server was never started."""
    found = containers.find(engine)
    if role not in found:
        raise NotFound("the registry server is not there", hint="`devreg registry up` starts it")
    return containers.logs(engine, found[role].id, tail=tail, follow=follow)


def _matches(existing: dict[str, Found], wanted: tuple[Container, ...]) -> bool:
    return all(
        (found := existing.get(container.role)) and found.running and found.fingerprint == container.fingerprint
        for container in wanted
    )


def _replace(
    engine: Engine,
    existing: dict[str, Found],
    wanted: tuple[Container, ...],
    listen: Listen,
    choices: Choices,
    certificate: Material | None,
    listener: Listener,
) -> None:
    """Put the wanted containers where the existing are, which come back when the new ones do not answer."""
    for container in wanted:
        containers.refuse_foreign(engine, container.name)
    _refuse_busy(engine, listen, existing)
    network = networks.ensure_network(engine, definition.NETWORK)
    for volume in definition.VOLUMES:
        networks.ensure_volume(engine, volume)
    containers.remove_leftovers(engine)
    created: list[str] = []
    try:
        for found in existing.values():
            containers.set_aside(engine, found)
        for container in wanted:
            listener(Step(f"starting {container.name} from {container.image}"))
            created.append(containers.create(engine, container, network))
            if certificate and container.role == "nginx":
                containers.put_secret(engine, created[-1], definition.TLS_FILE, certificate.pem)
            containers.start(engine, created[-1])
        _wait_until_it_answers(engine, listen, choices)
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


def _wait_until_it_answers(engine: Engine, listen: Listen, choices: Choices) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not _answers(listen, choices):
        for found in containers.find(engine).values():
            if not found.running:
                said = containers.last_line(engine, found.id)
                raise ServerError(f"{found.name} stopped: {said}", hint="mend what it says, then run the command again")
        if time.monotonic() > deadline:
            raise ServerError(
                f"the registry does not answer at {listen.address} within {_START_SECONDS} s",
                hint="does a firewall or a proxy stand between? `devreg registry logs nginx` shows what arrives",
            )
        time.sleep(_POLL_SECONDS)


def _answers(listen: Listen, choices: Choices) -> bool:
    """Whether a read goes all the way through nginx to the registry."""
    # With TLS unverified: it may not be by this address that clients come.
    address = Address.parse(f"http://{listen.address}" if choices.tls is Tls.OFF else listen.address)
    try:
        with connect(connection(address, trusted=True), timeout=5, user_agent="devreg") as registry:
            next(registry.repositories(), None)
    except DevregError:
        return False
    return True
