"""A second registry, which fetches from a hub what it is asked for and keeps it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from urllib.parse import urlsplit

from devreg.actions.serving import serve, server_images, server_up
from devreg.actions.serving.server_lock import server_locked
from devreg.actions.serving.server_up import Settled
from devreg.engine import containers, networks
from devreg.engine.client import Engine
from devreg.engine.containers import Found
from devreg.model.errors import ServerError, UsageError
from devreg.model.events import Listener, Step
from devreg.model.results import MirrorState
from devreg.model.server import Hub, ImagesFrom, Listen, Role, ServerImages
from devreg.model.server_choices import Choices
from devreg.server import definition

_ROLE: tuple[Role, ...] = ("mirror",)
_PLAIN = Choices()


@dataclass(frozen=True)
class Wish:
    """What `up` is asked for. `listen`, `hub`, None: as it is now, else `default_listen` and Docker's hub.

    A hub without a user keeps the user that the mirror is there now. `memory`: bytes, None for all there are.
    """

    listen: Listen | None
    default_listen: Listen
    hub: Hub
    images: ServerImages
    images_from: ImagesFrom
    memory: int | None


def checked(url: str) -> str:
    """The URL of a hub. Raises UsageError."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.username or parts.query or parts.fragment:
        raise UsageError(f"{url!r} is no URL of a registry", hint="write https://registry-1.docker.io or the like")
    return url


def up(engine: Engine, wish: Wish, listener: Listener) -> tuple[MirrorState, bool]:
    """Run the mirror, and tell whether anything had to be changed. A call that fails leaves what ran before.

    Raises ServerError, RefusedOverwrite.
    """
    if not engine.is_local:
        raise ServerError(f"the engine at {engine.host} is not on this machine", hint="run the command on that machine")
    with server_locked():
        existing = containers.find(engine, _ROLE)
        now = existing.get("mirror")
        listen = wish.listen or (now.listen if now else None) or wish.default_listen
        hub = _with_user(engine, now, wish.hub)
        images = server_images.ensure(engine, wish.images, wish.images_from, listener)
        wanted = (definition.mirror(listen, images.registry, hub, wish.memory),)
        plan = Settled(listen, _PLAIN, current="", certificate=None, authorities="")
        changed = not serve.matches(existing, wanted)
        if changed:
            serve.exchange(engine, existing, wanted, plan, listener, definition.MIRROR_NETWORK)
        else:
            serve.wait_until_it_answers(engine, plan, _ROLE)
        return state(engine), changed


def down(engine: Engine, *, volumes: bool, listener: Listener) -> bool:
    """Remove the mirror, with `volumes` what it keeps too. True when there was one."""
    with server_locked():
        changed = False
        for found in containers.find(engine, _ROLE).values():
            listener(Step(f"stopping {found.name}"))
            containers.remove(engine, found.id)
            changed = True
        changed = networks.remove_network(engine, definition.MIRROR_NETWORK) or changed
        if volumes:
            changed = networks.remove_volume(engine, definition.MIRROR_VOLUME) or changed
    return changed


def state(engine: Engine) -> MirrorState:
    """How the mirror is now. Never raises for one that is not there."""
    found = containers.find(engine, _ROLE).get("mirror")
    hub = _hub(engine, found)
    listen = found.listen if found else None
    return MirrorState(
        running=found is not None and found.running,
        healthy=found is not None and found.running and listen is not None and server_up.answers(listen, _PLAIN),
        address=listen.address if listen else None,
        hub=hub.url if hub else None,
        username=hub.username if hub else None,
        volume=definition.MIRROR_VOLUME if networks.has_volume(engine, definition.MIRROR_VOLUME) else None,
        line=f'"registry-mirrors": {json.dumps([f"http://{listen.address}"])}' if listen else None,
    )


def _with_user(engine: Engine, now: Found | None, hub: Hub) -> Hub:
    before = _hub(engine, now)
    return before if before and before.url == hub.url and not hub.username else hub


def _hub(engine: Engine, found: Found | None) -> Hub | None:
    text = containers.read(engine, found.id, definition.CONFIG_FILE) if found else None
    return definition.hub_of(text) if text else None
