"""Run the registry server in containers from newer images."""

from __future__ import annotations

import time

from devreg.actions.serving import serve, server_images
from devreg.actions.serving.serve_containers import Containers
from devreg.actions.serving.server_lock import server_locked
from devreg.actions.serving.server_up import Wish
from devreg.engine import containers, images
from devreg.engine.client import Engine
from devreg.engine.containers import Found
from devreg.model.errors import ServerError
from devreg.model.events import Listener, Step
from devreg.model.results import Renewed, Upgraded
from devreg.model.server import ImagesFrom, Listen, ServerImages
from devreg.server import definition, storage
from devreg.server.definition import PACKAGES_IMAGE


def upgrade(
    present: Containers,
    *,
    registry_image: str | None,
    nginx_image: str | None,
    memory: int | None,
    wait: float,
    listener: Listener,
) -> Upgraded:
    """Fetch the images, those of the names it runs now for None, and run the server from them if they are others.

    Requests of pushes are given `wait` seconds to end first; uploads go on afterwards. The old containers come back
    when the new ones do not answer. Raises ServerError.
    """
    engine = present.engine
    with server_locked():
        server, existing = present.running(), containers.find(engine)
        names = ServerImages(registry_image or existing["registry"].image, nginx_image or existing["nginx"].image)
        server_images.renew(engine, names, listener)
        listen = existing["nginx"].listen
        if listen is None:
            raise ServerError("nginx is not published anywhere", hint="`devreg registry up` mends that")
        plan = serve.settled(present.files, existing, _as_it_is(listen, names, memory), listener)
        wanted = definition.containers(plan.listen, names, plan.choices, plan.authorities, memory)
        if serve.matches(existing, wanted) and all(_is_same(engine, each) for each in existing.values()):
            return Upgraded(tuple(_renewed(each, each) for each in existing.values()), changed=False, paused=0)
        listener(Step("waiting for requests of pushes to end; new ones wait until this is done"))
        began = time.monotonic()
        with server.paused(storage.PAUSE_UPLOADS, wait):
            serve.exchange(engine, existing, wanted, plan, listener)
        paused = round(time.monotonic() - began, 1)
        now = containers.find(engine)
        return Upgraded(tuple(_renewed(existing[role], now[role]) for role in existing), changed=True, paused=paused)


def _as_it_is(listen: Listen, names: ServerImages, memory: int | None) -> Wish:
    """To `up`: all as it was told before, from these images."""
    return Wish(listen, listen, names, ImagesFrom.AUTO, user="", memory=memory)


def _is_same(engine: Engine, found: Found) -> bool:
    """Whether a container runs what its image's name stands for now."""
    image = images.local(engine, found.image)
    if image.id == found.image_id:
        return True
    # An image that was built again has another id, also where not a byte in it is another.
    return found.image == PACKAGES_IMAGE and image.diff_ids == images.local(engine, found.image_id).diff_ids


def _renewed(before: Found, after: Found) -> Renewed:
    return Renewed(before.role, before.image, before.image_id, after.image, after.image_id)
