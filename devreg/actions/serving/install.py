"""`devreg registry install`: the registry as a service of systemd, behind the nginx that the machine has."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timezone
from pathlib import Path

from devreg.actions.serving import install_change, render, server_runtime, server_tls
from devreg.actions.serving.install_change import Goal
from devreg.actions.serving.installed_files import go_by_files
from devreg.actions.serving.serve_installed import refuse_other_engine
from devreg.actions.serving.server_images import ensure
from devreg.actions.serving.server_lock import server_locked
from devreg.actions.serving.server_tls import Material
from devreg.engine.client import Engine
from devreg.host import files, kept_files, own_address, ports, system_nginx, system_units
from devreg.host.install_record import Before, InstallRecord, Put
from devreg.host.kept_files import Kept
from devreg.host.state import state_folder
from devreg.host.system_units import UnitState
from devreg.model.address import Address
from devreg.model.errors import ConfigUnusable, DevregError, RefusedOverwrite, ServerError, UsageError
from devreg.model.events import Listener, Step, Warn
from devreg.model.installed import Installed, InstalledSite
from devreg.model.rendered import Site, Target
from devreg.model.server import ImagesFrom, Listen
from devreg.model.server_choices import Choices
from devreg.model.server_tls import Certificate, Tls
from devreg.model.tls import connection
from devreg.registry import front
from devreg.registry.client import connect
from devreg.server import certificates, htpasswd, push_rules, targets
from devreg.server.targets import REGISTRY, RULES_FILE, UNIT, USERS_FILE

_ON = UnitState(enabled=True, active=True)
_START_SECONDS = 60
_FRONT_SECONDS = 15
_POLL_SECONDS = 0.2
_ANSWER_SECONDS = 5
_FAILURES = 3
_BEHIND = Address.parse(f"http://{REGISTRY}")
_DOCKER = Path("/usr/bin/docker")
# In nginx's folder only the master reads it, as root.
_OWN_FILE = Path("/etc/nginx/docker.registry.pem")
_OWN_CERTIFICATE = Certificate(str(_OWN_FILE), str(_OWN_FILE))
_IPV6 = Path("/proc/net/if_inet6")


@dataclass(frozen=True)
class Wish:
    """What somebody asks for. `user` is made when there is none yet, with `password`, or a generated one for None.

    `self_signed`: have nginx show what an authority of this machine's own issues. `plain_http`: whether passwords may
    cross the network in the clear. `force`: write over files that were edited.
    """

    site: Site
    images_from: ImagesFrom
    user: str
    password: str | None = None
    self_signed: bool = False
    plain_http: bool = False
    force: bool = False


def install(engine: Engine, wish: Wish, listener: Listener) -> Installed:
    """Install it, or bring it to the wanted state; a second call changes nothing.

    A call that fails leaves everything as it was, but for an image in the engine. Raises ServerError, RefusedOverwrite
    for an edited file or a busy port, UsageError, ConfigUnusable, RollbackFailed.
    """
    htpasswd.check(wish.user, wish.password if wish.password is not None else "generated")
    _refuse_plain(wish)
    refuse_unfit(engine)
    server_runtime.refuse_started(engine)
    _check_certificate(wish.site)
    record = InstallRecord(state_folder())
    with server_locked():
        install_change.recover(engine, record, listener)
        group = kept_files.group_id(system_nginx.workers_group())
        images = ensure(engine, wish.site.images, wish.images_from, listener, roles=("registry",))
        site = replace(wish.site, images=images, ipv6=_IPV6.exists())
        site, material = _certified(site, listener) if wish.self_signed else (site, None)
        users, made = _users(wish)
        goal = Goal({**_files(site, material), **_of_users(users, group)}, _ON)
        _refuse_edited(site, wish.force, listener)
        changed = not install_change.reached(goal)
        if changed:
            _refuse_busy()
            install_change.carry_out(
                engine,
                goal,
                record,
                lambda: _prove(site, listener),
                lambda before: _outcome(record, goal, before, _told(site, material)),
                listener,
            )
        else:
            _verify(site)
    if wish.password is not None and made is None:
        listener(Warn(f"there are users already: {wish.user} is as before"))
    return Installed(
        address=_address(site),
        unit=UNIT,
        files=tuple(str(path) for path, kept in goal.files.items() if kept),
        users=htpasswd.users(users),
        changed=changed,
        user=None if made is None else wish.user,
        password=made if wish.password is None else None,
        authority=server_tls.authority(material),
        certificate_ends=server_tls.ends(material.pem) if material else None,
    )


def refuse_unfit(engine: Engine) -> None:
    """Raise where nothing can be installed: without root, systemd, an nginx or the default engine."""
    if not files.is_root():
        raise ConfigUnusable("a service of the system takes root", hint="run the command again with sudo")
    if not system_units.booted():
        raise ServerError("systemd does not run this machine", hint="`devreg registry up` needs none")
    if not system_nginx.installed():
        raise ServerError("there is no nginx on this machine", hint="`apt-get install nginx`, then try again")
    if not _DOCKER.exists():
        raise ServerError(f"there is no {_DOCKER}", hint="`apt-get install docker.io` (Debian 13: docker-cli too)")
    refuse_other_engine(engine)


def _refuse_plain(wish: Wish) -> None:
    where = targets.listens(wish.site)
    if wish.site.certificate is None and not wish.self_signed and not where.is_loopback and not wish.plain_http:
        raise UsageError(
            f"at {where} others can connect, and over plain HTTP passwords would cross the network in the clear",
            hint="give --tls self-signed or --tls CERTIFICATE,KEY; or --plain-http, say behind a proxy that speaks TLS",
        )


def _check_certificate(site: Site) -> None:
    """Raise ConfigUnusable for a certificate that cannot serve the domain."""
    if site.certificate is None:
        return
    pair = certificates.Pair(_text(site.certificate.chain), _text(site.certificate.key))
    certificates.check(pair, (site.domain,) if site.domain else (), now=datetime.now(timezone.utc))


def _text(path: str) -> str:
    content = files.read(Path(path))
    if content is None:
        raise ConfigUnusable(f"{path} does not exist", hint="name the files of the certificate and of its key, in PEM")
    return content.decode(errors="replace")


def _certified(site: Site, listener: Listener) -> tuple[Site, Material]:
    """The site with a certificate of our own authority: the one it has, while that is good. Raises ConfigUnusable."""
    site = replace(site, certificate=_OWN_CERTIFICATE)
    choices = Choices(Tls.SELF_SIGNED, (site.domain,) if site.domain else ())
    current = (files.read(_OWN_FILE) or b"").decode(errors="replace")
    made = server_tls.material(choices, targets.listens(site), current, listener)
    assert made is not None  # noqa: S101 - only plain HTTP needs none
    return site, made


def _files(site: Site, material: Material | None) -> Mapping[Path, Kept | None]:
    rendered = render.rendered(Target.SYSTEMD, site)
    own = None if material is None else Kept(material.pem.encode(), 0o600)
    return {_OWN_FILE: own, **{Path(each.place): Kept(each.stamped.encode()) for each in rendered if each.place}}


def _users(wish: Wish) -> tuple[str, str | None]:
    """The text of the users' file, and the password of the first user if that is made now."""
    there = (files.read(Path(USERS_FILE)) or b"").decode(errors="surrogateescape")
    if htpasswd.users(there):
        return there, None
    password = htpasswd.generated_password() if wish.password is None else wish.password
    return htpasswd.with_user(there, wish.user, password), password


def _of_users(users: str, group: int) -> Mapping[Path, Kept | None]:
    """The users' file and their rules, which an earlier install may have left: nobody is let in without them."""
    rules, there = push_rules.nginx_map(users), Path(RULES_FILE).exists()
    return {
        Path(USERS_FILE): Kept(users.encode(errors="surrogateescape"), 0o640, 0, group),
        Path(RULES_FILE): Kept(rules.encode(), 0o640, 0, group) if rules or there else None,
    }


def _refuse_edited(site: Site, force: bool, listener: Listener) -> None:
    changes = render.placed(render.rendered(Target.SYSTEMD, site))
    render.refuse_edited(changes, force=force, tell=lambda diff: listener(Step(diff)))
    for each in changes:
        if each.state == "edited":
            listener(Step(f"the copy of {each.path} is {files.backup(each.path, state_folder() / 'rendered')}"))


def _refuse_busy() -> None:
    holder = None if system_units.state(UNIT).active else ports.holder(REGISTRY)
    if holder:
        raise RefusedOverwrite(f"{REGISTRY} is in use by {holder}", hint="stop it; the registry is to listen there")


def _told(site: Site, material: Material | None) -> InstalledSite:
    listen = targets.listens(site)
    tls = Tls.SELF_SIGNED.value if material else "given" if site.certificate else Tls.OFF.value
    host = site.domain or listen.address
    return InstalledSite(listen, host, _address(site), tls, site.certificate, site.images.registry)


def _outcome(record: InstallRecord, goal: Goal, before: Before, site: InstalledSite) -> Put:
    """What was there before the first install counts, not before this one."""
    put = {path: kept.digest for path, kept in goal.files.items() if kept is not None}
    earlier = record.installed()
    if earlier is not None:
        before = replace(earlier.before, files={**before.files, **earlier.before.files})
    return Put(put, before, site)


def _prove(site: Site, listener: Listener) -> None:
    listener(Step(f"waiting for the registry at {REGISTRY}"))
    _await(_registry_fault, _START_SECONDS)
    listener(Step("telling nginx to read its configuration again"))
    go_by_files()
    _verify(site)


def _verify(site: Site) -> None:
    """Read and write as a stranger, through nginx. Raises ServerError."""
    listen = targets.listens(site)
    host = site.domain or listen.address
    tls = site.certificate is not None
    _await(lambda: front.fault(listen, host, tls=tls, timeout=_ANSWER_SECONDS), _FRONT_SECONDS)


def _registry_fault() -> str | None:
    """Why the registry behind nginx does not answer yet. Raises ServerError once it has ended a few times."""
    if system_units.failures(UNIT) >= _FAILURES:
        raise ServerError(
            f"{UNIT} ends as soon as it is started: {system_units.last_line(UNIT)}",
            hint=f"mend what it says, then run the command again; `journalctl --unit={UNIT}` has more",
        )
    try:
        with connect(connection(_BEHIND, trusted=True), timeout=_ANSWER_SECONDS, user_agent="devreg") as it:
            next(it.repositories(), None)
    except DevregError as error:
        return error.message
    return None


def _await(fault: Callable[[], str | None], seconds: float) -> None:
    """Wait until there is no fault. Raises ServerError with the last."""
    deadline = time.monotonic() + seconds
    while (found := fault()) is not None:
        if time.monotonic() > deadline:
            raise ServerError(
                f"the registry does not work within {seconds:g} s: {found}",
                hint=f"`journalctl --unit={UNIT}` and /var/log/nginx/error.log say more",
            )
        time.sleep(_POLL_SECONDS)


def _address(site: Site) -> str:
    """What names of images begin with: the domain, else an address of this machine; without the port of the scheme."""
    listen = targets.listens(site)
    own = (*own_address.primary(), "127.0.0.1") if listen.is_unspecified else (listen.ip,)
    host = site.domain or str(Listen(own[0], listen.port)).rpartition(":")[0]
    return host if listen.port == (443 if site.certificate else 80) else f"{host}:{listen.port}"
