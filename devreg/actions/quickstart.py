"""The one-command tour: from a machine with nothing to an image that was pushed, listed and pulled.

Each step looks first and changes only what is missing, so that a second run changes nothing; and each records what it
changes, before it does, so that `quickstart_undo` can take away exactly that.
"""

from __future__ import annotations

import io
import tarfile
from dataclasses import dataclass, replace

from devreg.actions import catalog, provision, push, serve, users
from devreg.actions import login as logins
from devreg.actions import trust as trusts
from devreg.actions.naming import Names
from devreg.actions.reach import open_registry
from devreg.engine import images, networks
from devreg.engine.client import Engine
from devreg.flavours.found import found
from devreg.host import credentials as stored
from devreg.host.state import Record, state_folder
from devreg.model.address import Address
from devreg.model.credentials import Credentials
from devreg.model.errors import NotAuthorized, NotFound, ServerError
from devreg.model.events import Listener, Step
from devreg.model.listing import Tag
from devreg.model.reference import Destination, Reference
from devreg.model.results import StepResult
from devreg.model.server import ImagesFrom, Listen, ServerImages
from devreg.server.definition import DATA_VOLUME, PACKAGES_IMAGE
from devreg.server.htpasswd import generated_password

IMAGE = Reference("devreg-hello", tag="1")
_HELLO = "This image came out of your own registry.\n"

# What goes on record, under these names.
RECORD = "quickstart"
SERVER, SERVER_IMAGES, USER, LOGIN = "server", "server_images", "user", "login"
TRUST, IMAGES, PUSHED = "trust", "images", "pushed"


@dataclass(frozen=True)
class Choices:
    """What the tour is told: where to listen, what to run, who pushes, how many seconds to wait for answers, how
    many bytes of memory each container may use.

    `listen_given` False: where the server is published already counts more than `listen`.
    """

    listen: Listen
    listen_given: bool
    hub: ServerImages
    images_from: ImagesFrom
    user: str
    timeout: float
    memory: int | None

    @property
    def address(self) -> Address:
        """The registry's address, as seen from this machine."""
        return Address.parse(self.listen.address)

    @property
    def pushed(self) -> Reference:
        """What the tour's image is called in the registry."""
        return IMAGE.at(self.address)


@dataclass(frozen=True)
class Tour:
    """What came of it. `password` is set when one was made now: it is shown once."""

    steps: tuple[StepResult, ...]
    address: str
    tags: tuple[Tag, ...]
    user: str
    password: str | None = None


def plan(choices: Choices) -> tuple[str, ...]:
    """What `run` is going to change, a line each; empty when all is in place. Raises EngineUnreachable."""
    engine = provision.answering()
    choices = _settled(choices, engine)
    served = engine is not None and serve.status(engine).healthy
    if engine and served and not _logged_in(choices):
        _refuse_known_user(engine, choices)
    login = f"log in as {choices.user}; the password is kept in {stored.config_file()}"
    wanted = (
        (engine is None, provision.intention()),
        (not served, f"run a registry at {choices.listen}: anybody may pull, the user {choices.user} may push"),
        (not _trusted(engine, choices.address), f"have Docker trust {choices.address}"),
        (not served or not _logged_in(choices), login),
        (
            not served or not _has(choices),
            f"make a small image, push it as {choices.pushed}, pull it without a password",
        ),
    )
    return tuple(line for needed, line in wanted if needed)


def run(choices: Choices, listener: Listener) -> Tour:
    """Take the tour. Whatever is as it should be stays. Raises what the steps raise; `undo` then cleans up."""
    record = Record(RECORD)
    engine, engine_step = provision.ensure(record, listener)
    choices = _settled(choices, engine)
    server_step, password = _serve(engine, choices, record, listener)
    trust_step = _trust(engine, choices.address, record, listener)
    login_step, password = _login(engine, choices, password, record, listener)
    image_steps = _image(engine, choices, record, listener)
    name, wait = str(choices.pushed.name), choices.timeout
    tags = catalog.tags([name], default=choices.address, timeout=wait, pattern=None, listen=listener)
    steps = (engine_step, server_step, trust_step, login_step, *image_steps)
    return Tour(steps, str(choices.address), tags, choices.user, password)


def _settled(choices: Choices, engine: Engine | None) -> Choices:
    published = serve.published(engine) if engine and not choices.listen_given else None
    return replace(choices, listen=published) if published else choices


def _serve(engine: Engine, choices: Choices, record: Record, listener: Listener) -> tuple[StepResult, str | None]:
    before = serve.status(engine)
    if not before.images and not before.volume:
        record.note(SERVER, "")
    absent = [image for image in (*vars(choices.hub).values(), PACKAGES_IMAGE) if not images.exists(engine, image)]
    if absent and SERVER in record.entries:
        record.note(SERVER_IMAGES, sorted({*record.entries.get(SERVER_IMAGES, []), *absent}))
    wish = serve.Wish(
        choices.listen, choices.listen, choices.hub, choices.images_from, choices.user, memory=choices.memory
    )
    done = serve.up(engine, wish, listener)
    if record.entries.get(SERVER) == "":
        record.note(SERVER, networks.volume_id(engine, DATA_VOLUME))
    detail = f"answers at {done.status.address}; to stop it: devreg registry down"
    return StepResult("registry", "changed" if done.changed else "unchanged", detail), done.password


def _trusted(engine: Engine | None, address: Address) -> bool:
    return address.is_loopback or (engine is not None and engine.info().trusts(address))


def _trust(engine: Engine, address: Address, record: Record, listener: Listener) -> StepResult:
    if address.is_loopback:
        return StepResult("trust", "unchanged", "Docker always trusts loopback addresses")
    if not _trusted(engine, address):
        record.note(TRUST, str(address))
    flavour = found(engine, state_folder())
    done = trusts.carry_out(flavour, trusts.Wish((address,)), listener=listener)
    return StepResult("trust", "changed" if done.changed else "unchanged", f"Docker trusts {address}")


def _logged_in(choices: Choices) -> bool:
    """Whether there are stored credentials that the registry accepts."""
    known = stored.lookup(choices.address)
    return known is not None and logins.accepted(choices.address, known, timeout=choices.timeout)


def _login(
    engine: Engine, choices: Choices, password: str | None, record: Record, listener: Listener
) -> tuple[StepResult, str | None]:
    """Log in with the new password. Without one a login that works stays; else a user is added."""
    if password is None and _logged_in(choices):
        return StepResult("login", "unchanged", "the stored login works"), None
    if password is None:
        _refuse_known_user(engine, choices)
        password = generated_password()
        record.note(USER, choices.user)
        users.add(engine, choices.user, password)
    if stored.lookup(choices.address) is None:
        record.note(LOGIN, str(choices.address))
    credentials = Credentials(choices.user, password)
    done = logins.login(choices.address, credentials, timeout=choices.timeout, listener=listener)
    return StepResult("login", "changed", f"logged in as {choices.user}; kept in {done.stored}"), password


def _refuse_known_user(engine: Engine, choices: Choices) -> None:
    """A user's password is never changed unasked: others may be logged in with it."""
    if choices.user in users.names(engine):
        raise NotAuthorized(
            f"the registry at {choices.address} has a user {choices.user}, and this machine is not logged in",
            hint=f"`devreg login {choices.address} -u {choices.user}`, "
            f"or a new password: `devreg registry user add {choices.user}`",
        )


def _image(engine: Engine, choices: Choices, record: Record, listener: Listener) -> list[StepResult]:
    """Make, push and pull the tour's image, unless the registry has it."""
    name = choices.pushed
    if _has(choices):
        return [StepResult("image", "unchanged", f"{name} is in the registry")]
    record.note(IMAGES, [str(IMAGE), str(name)])
    listener(Step(f"making the image {IMAGE}"))
    images.import_rootfs(engine, _rootfs(), str(IMAGE))
    to = Destination(choices.address)
    wanted = push.Wanted((str(IMAGE),), Names(to), via="engine", timeout=choices.timeout)
    done = push.push(wanted, listener=listener, engine=lambda: engine)
    for _, error in done.failed:
        raise error
    digest = done.pushed[0].digest
    record.note(PUSHED, [str(choices.address), name.repository, digest])
    for local in (str(IMAGE), str(name)):
        images.remove(engine, local)
    listener(Step(f"pulling {name} without a password"))
    pulled = images.pull(engine, name, None, listener)
    if pulled.digest != digest:
        raise ServerError(
            f"pulled {pulled.digest} where {digest} was pushed", hint="`devreg registry logs` may say more"
        )
    return [
        StepResult("push", "changed", f"{name.name}@{digest}"),
        StepResult("pull", "changed", "the same digest, without a password"),
    ]


def _has(choices: Choices) -> bool:
    """Whether the registry has the tour's image."""
    name = choices.pushed
    try:
        with open_registry(choices.address, timeout=choices.timeout) as registry:
            registry.head_manifest(name.repository, name.version)
    except NotFound:
        return False
    return True


def _rootfs() -> io.BytesIO:
    """A file system of one file: enough of an image to push."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo("hello.txt")
        member.size = len(_HELLO)
        archive.addfile(member, io.BytesIO(_HELLO.encode()))
    buffer.seek(0)
    return buffer
