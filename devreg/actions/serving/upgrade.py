"""`devreg registry upgrade`: newer programs under the server, whatever it runs in."""

from __future__ import annotations

from devreg.actions.serving import upgrade_containers, upgrade_processes
from devreg.actions.serving.serve_containers import Containers
from devreg.actions.serving.serve_processes import Processes
from devreg.actions.serving.server_runtime import Server
from devreg.model.errors import ServerError, UsageError
from devreg.model.events import Listener
from devreg.model.results import Upgraded


def upgrade(
    present: Server,
    *,
    registry_image: str | None,
    nginx_image: str | None,
    memory: int | None,
    wait: float,
    listener: Listener,
) -> Upgraded:
    """Run the server from the newest images, or packages; see `upgrade_containers` and `upgrade_processes`.

    Raises UsageError for images where there are none, ServerError also for a server that others renew.
    """
    if isinstance(present, Containers):
        return upgrade_containers.upgrade(
            present,
            registry_image=registry_image,
            nginx_image=nginx_image,
            memory=memory,
            wait=wait,
            listener=listener,
        )
    if registry_image or nginx_image:
        raise UsageError("images are for a server that `registry up` runs in containers", hint="leave them out")
    if isinstance(present, Processes):
        return upgrade_processes.upgrade(present, wait=wait, listener=listener)
    raise ServerError(
        "the registry is a service of systemd, whose image the engine renews",
        hint="`docker pull` the image that `devreg registry status` names, then "
        "`systemctl restart docker.registry.service`",
    )
