"""The images of the registry server: pulled from a hub, or built here from the distribution's packages."""

from __future__ import annotations

import tarfile
import tempfile
from collections.abc import Sequence

from devreg.engine import images
from devreg.engine.client import Engine
from devreg.host import credentials as stored
from devreg.host import packages
from devreg.model.errors import DevregError, ServerError
from devreg.model.events import Listener, Step, Warn
from devreg.model.reference import Reference
from devreg.model.server import ImagesFrom, Role, ServerImages
from devreg.server.definition import HUB_IMAGES, PACKAGES_IMAGE
from devreg.server.rootfs import ROOTS, Rootfs, wanted

ROLES: tuple[Role, ...] = ("registry", "nginx")


def ensure(
    engine: Engine, hub: ServerImages, source: ImagesFrom, listener: Listener, roles: Sequence[Role] = ROLES
) -> ServerImages:
    """The images to use, in the engine afterwards as far as `roles` need them.

    What the engine has is neither pulled nor built again.
    Images that somebody has chosen are never replaced by built ones. Raises ServerError when they cannot be had.
    """
    packaged = ServerImages(PACKAGES_IMAGE, PACKAGES_IMAGE)
    names = tuple(hub.registry if role == "registry" else hub.nginx for role in roles)
    if source is ImagesFrom.PACKAGES:
        _build(engine, listener)
        return packaged
    if source is ImagesFrom.HUB or hub != HUB_IMAGES:
        try:
            _pull(engine, names, listener)
        except DevregError as error:
            hint = "bring it into the engine (`docker load`), or check its name: `devreg config`"
            raise ServerError(error.message, hint=hint) from error
        return hub
    if images.exists(engine, PACKAGES_IMAGE) and not all(images.exists(engine, each) for each in names):
        listener(Step(f"using {PACKAGES_IMAGE}, which was built here before (--images-from hub pulls instead)"))
        return packaged
    try:
        _pull(engine, names, listener)
    except DevregError as error:
        listener(Warn(f"{error.message}; building the images from Debian's packages instead"))
        _build(engine, listener)
        return packaged
    return hub


def renew(engine: Engine, names: ServerImages, listener: Listener) -> None:
    """Have the newest images of these names in the engine: pulled, or built from packages again.

    One that cannot be pulled and is in the engine, as after `docker load`, is taken as it is. Raises ServerError.
    """
    for name in sorted({names.registry, names.nginx}):
        if name == PACKAGES_IMAGE:
            _build(engine, listener, anew=True)
            continue
        listener(Step(f"pulling {name}"))
        reference = Reference.parse(name)
        credentials = stored.lookup(reference.registry) if reference.registry else None
        try:
            images.pull(engine, reference, credentials, listener)
        except DevregError as error:
            if not images.exists(engine, name):
                raise ServerError(error.message, hint="bring it into the engine (`docker load`)") from error
            listener(Warn(f"{error.message}; going on with the {name} that the engine has"))


def _pull(engine: Engine, names: Sequence[str], listener: Listener) -> None:
    for image in names:
        if not images.exists(engine, image):
            listener(Step(f"pulling {image}"))
            name = Reference.parse(image)
            credentials = stored.lookup(name.registry) if name.registry else None
            images.pull(engine, name, credentials, listener)


def _build(engine: Engine, listener: Listener, *, anew: bool = False) -> None:
    if images.exists(engine, PACKAGES_IMAGE) and not anew:
        return
    if not packages.available():
        raise ServerError(
            "the images can only be built from packages on Debian and its relatives",
            hint="load them into the engine (`docker load`), or name others with `devreg config set registry_image …`",
        )
    listener(Step(f"building {PACKAGES_IMAGE} from the packages {', '.join(ROOTS)}"))
    try:
        _import_packages(engine)
    except OSError as error:
        raise ServerError(
            f"{PACKAGES_IMAGE} could not be built: {error.strerror}", hint="make room in the folder for temporary files"
        ) from error


def _import_packages(engine: Engine) -> None:
    with packages.fetched(ROOTS) as fetched, tempfile.TemporaryFile() as tar:
        rootfs = Rootfs(tar)
        for package in fetched:
            if wanted(package.name, package.section):
                with packages.contents(package) as contents, tarfile.open(contents) as archive:
                    rootfs.add(archive)
        rootfs.finish()
        tar.seek(0)
        images.import_rootfs(engine, tar, PACKAGES_IMAGE)
