"""What `registry up` is asked for, what it settles on and what it tells, whatever the server runs in."""

from __future__ import annotations

from dataclasses import dataclass, replace

from devreg.actions.serving import external_auth, server_tls
from devreg.actions.serving.server_tls import Material
from devreg.model.address import Address
from devreg.model.errors import DevregError, UsageError
from devreg.model.events import Listener, Warn
from devreg.model.results import ServerStatus, ServerUp
from devreg.model.server import ImagesFrom, Listen, ServerImages
from devreg.model.server_choices import Choices
from devreg.model.server_tls import Certificate, Tls
from devreg.model.tls import connection
from devreg.registry.client import connect
from devreg.server import htpasswd

_HTTPS = 443


@dataclass(frozen=True)
class Wish:
    """What `up` is asked for. `listen` None: where the server is now, else `default_listen`.

    `user` is made when there are no users yet, with `password`, or a generated one for None. `tls`, `domains` and the
    `external_auth` URL (with the file of its authorities): None or () leave what the server was told before; a URL of
    `off` takes it away. `plain_http`: whether passwords may cross the network in the clear. `memory`: the bytes
    that each container may use, None for all there are.
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
    memory: int | None = None


@dataclass(frozen=True)
class Settled:
    """What the server is going to be.

    `current`: the PEM file of the certificate that it has, `certificate` the one that it gets. `authorities`: who
    vouches for the service that checks passwords (PEM).
    """

    listen: Listen
    choices: Choices
    current: str
    certificate: Material | None
    authorities: str


def check(wish: Wish) -> None:
    """Raise UsageError for a first user that cannot be."""
    htpasswd.check(wish.user, wish.password if wish.password is not None else "generated")


def settle(wish: Wish, published: Listen | None, told: Choices, current: str, listener: Listener) -> Settled:
    """Join what is wished with what is: where the server is published, what it was told before, its certificate.

    Raises UsageError for options that say nothing and plain HTTP that was not asked for, ConfigUnusable for
    certificates that cannot be used.
    """
    listen = wish.listen or published or wish.default_listen
    choices = _choices(told, wish)
    _refuse_plain(choices, listen, published, wish)
    authorities = external_auth.authorities(choices)
    return Settled(listen, choices, current, server_tls.material(choices, listen, current, listener), authorities)


def outcome(
    wish: Wish,
    settled: Settled,
    now: ServerStatus,
    first: tuple[bool, str | None],
    listener: Listener,
    *,
    changed: bool,
) -> ServerUp:
    """What `up` gives back, and what the user should know of it.

    `first`: whether the first user was made, and the password if it was generated.
    """
    made, generated = first
    if wish.password is not None and not made:
        listener(Warn(f"{wish.user} is as before: {_why_no_user(settled.choices)}"))
    if settled.choices.tls is Tls.OFF and not settled.listen.is_loopback:
        plain = f"{settled.listen} is plain HTTP: passwords cross the network in the clear; put TLS in front of it"
        listener(Warn(plain))
    external_auth.warn(settled.choices, listener)
    if made:
        now = replace(now, users=(wish.user,))
    authority = server_tls.authority(settled.certificate)
    return ServerUp(now, changed or made, wish.user if made else None, generated, authority)


def called(listen: Listen, choices: Choices) -> str:
    """What to call the server: by its first name, where it has one."""
    names = [name for name in choices.domains if not name.startswith("*")]
    if choices.tls is Tls.OFF or not names:
        return listen.address
    host = f"[{names[0]}]" if ":" in names[0] else names[0]
    return host if listen.port == _HTTPS else f"{host}:{listen.port}"


def spoken(choices: Choices) -> str:
    """How the server speaks TLS: off, self-signed or given."""
    return choices.tls.value if isinstance(choices.tls, Tls) else "given"


def answers(listen: Listen, choices: Choices) -> bool:
    """Whether a read goes all the way through nginx to the registry."""
    # With TLS unverified: it may not be by this address that clients come.
    address = Address.parse(f"http://{listen.address}" if choices.tls is Tls.OFF else listen.address)
    try:
        with connect(connection(address, trusted=True), timeout=5, user_agent="devreg") as registry:
            next(registry.repositories(), None)
    except DevregError:
        return False
    return True


def _choices(told: Choices, wish: Wish) -> Choices:
    """What was said before, and now."""
    choices = told.but(
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


def _refuse_plain(choices: Choices, listen: Listen, published: Listen | None, wish: Wish) -> None:
    """Beyond this machine plain HTTP has to be asked for, or to be there already."""
    if choices.tls is not Tls.OFF or listen.is_loopback or wish.plain_http:
        return
    if wish.tls is None and listen == published:
        return
    raise UsageError(
        f"at {listen} others can connect, and over plain HTTP passwords would cross the network in the clear",
        hint="give --tls self-signed or --tls CERTIFICATE,KEY; or --plain-http, say behind a proxy that speaks TLS",
    )
