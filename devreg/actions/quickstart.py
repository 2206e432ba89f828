"""The one-command tour: from a machine with nothing to an image that was pushed, listed and pulled.

Each step looks first and changes only what is missing, so that a second run changes nothing; and each records what it
changes, before it does, so that `quickstart_undo` can take away exactly that.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from devreg.actions import catalog, provision, quickstart_image
from devreg.actions import login as logins
from devreg.actions import trust as trusts
from devreg.actions.quickstart_image import IMAGE
from devreg.actions.reach import open_registry
from devreg.actions.serving import server_runtime, users
from devreg.actions.serving.serve_containers import Containers
from devreg.actions.serving.serve_processes import Processes
from devreg.actions.serving.server_runtime import Started
from devreg.actions.serving.server_up import Wish
from devreg.engine import images
from devreg.engine.client import Engine
from devreg.flavours.found import found
from devreg.host import credentials as stored
from devreg.host import server_programs
from devreg.host.state import Record, state_folder
from devreg.model.address import Address
from devreg.model.credentials import Credentials
from devreg.model.errors import EngineUnreachable, NotAuthorized, NotFound
from devreg.model.events import Listener, Warn
from devreg.model.listing import Tag
from devreg.model.reference import Reference
from devreg.model.results import StepResult
from devreg.model.server import ImagesFrom, Listen, ServerImages
from devreg.model.server_processes import Runtime
from devreg.server.definition import PACKAGES_IMAGE
from devreg.server.htpasswd import generated_password

# What goes on record, under these names; RUNTIME is what the server runs in that SERVER and USER are of.
RECORD = "quickstart"
SERVER, SERVER_IMAGES, RUNTIME, USER, LOGIN, TRUST = "server", "server_images", "runtime", "user", "login", "trust"


@dataclass(frozen=True)
class Choices:
    """What the tour is told: where to listen, what to run, who pushes, how many seconds to wait for answers, how
    many bytes of memory each container may use.

    `listen_given` False: where the server is published already counts more than `listen`. `runtime`: what the server is
    to run in; without containers the tour uses no engine.
    """

    listen: Listen
    listen_given: bool
    hub: ServerImages
    images_from: ImagesFrom
    user: str
    timeout: float
    memory: int | None
    runtime: Runtime = Runtime.AUTO

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
    """What came of it. `password`: one that was made now, to be shown once. `runtime`: what the server runs in."""

    steps: tuple[StepResult, ...]
    address: str
    tags: tuple[Tag, ...]
    user: str
    password: str | None = None
    runtime: str = Runtime.CONTAINERS.value


def plan(choices: Choices) -> tuple[str, ...]:
    """What `run` is going to change, a line each; empty when all is in place. Raises EngineUnreachable."""
    server_runtime.refuse_other(choices.runtime)
    without = _without_engine(choices.runtime)
    engine = None if without else provision.answering()
    server = Processes() if without else Containers(engine) if engine else None
    choices = _settled(choices, server)
    served = server is not None and server.status().healthy
    if server and served and not _logged_in(choices):
        _refuse_known_user(server, choices)
    login = f"log in as {choices.user}; the password is kept in {stored.config_file()}"
    spoken = "" if choices.listen.is_loopback else " over plain HTTP"
    where = f"{choices.listen}{spoken}{f', as plain processes ({without})' if without else ''}"
    wanted = (
        (engine is None and not without, provision.intention()),
        (not served, f"run a registry at {where}: anybody may pull, the user {choices.user} may push"),
        (not without and not _trusted(engine, choices.address), f"have Docker trust {choices.address}"),
        (not served or not _logged_in(choices), login),
        (
            not served or not _has(choices),
            f"make a small image, push it as {choices.pushed}, pull it without a password",
        ),
    )
    return tuple(line for needed, line in wanted if needed)


def run(choices: Choices, listener: Listener) -> Tour:
    """Take the tour. Whatever is as it should be stays. Raises what the steps raise; `undo` then cleans up."""
    server_runtime.refuse_other(choices.runtime)
    record = Record(RECORD)
    engine, engine_step = _engine(choices, record, listener)
    server: Started = Containers(engine) if engine else Processes()
    choices = _settled(choices, server)
    server_step, password = _serve(server, choices, record, listener)
    trust_step = _trust(engine, choices.address, record, listener)
    login_step, password = _login(server, choices, password, record, listener)
    image_steps = _image(engine, choices, record, listener)
    name, wait = str(choices.pushed.name), choices.timeout
    tags = catalog.tags([name], default=choices.address, timeout=wait, pattern=None, listen=listener)
    steps = (engine_step, server_step, trust_step, login_step, *image_steps)
    return Tour(steps, str(choices.address), tags, choices.user, password, server.runtime.value)


def _without_engine(runtime: Runtime) -> str | None:
    """Why the tour is taken without an engine; None where one answers or is to be set up. Raises EngineUnreachable."""
    if runtime is Runtime.CONTAINERS:
        return None
    if runtime is Runtime.PROCESSES:
        return "as was asked for"
    if server_runtime.noted() is Runtime.PROCESSES:
        return "as it is set up here already"
    try:
        answering = provision.answering()
    except EngineUnreachable as error:
        if server_runtime.noted() is Runtime.CONTAINERS or not server_programs.may_run():
            raise
        return error.message
    return None if answering else provision.hindrance()


def _engine(choices: Choices, record: Record, listener: Listener) -> tuple[Engine | None, StepResult]:
    """The engine, if there is to be one. One that cannot be brought to run is done without."""
    without = _without_engine(choices.runtime)
    if without is None:
        try:
            return provision.ensure(record, listener)
        except EngineUnreachable as error:
            if Runtime.CONTAINERS in (choices.runtime, server_runtime.noted()) or not server_programs.may_run():
                raise
            without = error.message
            listener(Warn(f"{without}: running the registry as plain processes instead of containers"))
    return None, StepResult("engine", "unchanged", f"the tour does without one: {without}")


def _settled(choices: Choices, server: Started | None) -> Choices:
    published = server.published() if server and not choices.listen_given else None
    return replace(choices, listen=published) if published else choices


def _serve(server: Started, choices: Choices, record: Record, listener: Listener) -> tuple[StepResult, str | None]:
    before = server.status()
    if not before.images and not before.volume and not before.folder:
        _note_of_server(record, SERVER, "", server)
    if isinstance(server, Containers):
        _note_absent_images(server.engine, choices.hub, record)
    wish = Wish(
        *(choices.listen, choices.listen, choices.hub, choices.images_from, choices.user),
        memory=choices.memory,
        plain_http=True,
    )
    done = server.up(wish, listener)
    if record.entries.get(SERVER) == "":
        record.note(SERVER, server.identity())
    detail = f"answers at {done.status.address}; to stop it: devreg registry down"
    return StepResult("registry", "changed" if done.changed else "unchanged", detail), done.password


def _note_of_server(record: Record, key: str, value: str, server: Started) -> None:
    record.note(RUNTIME, server.runtime.value)
    record.note(key, value)


def _note_absent_images(engine: Engine, hub: ServerImages, record: Record) -> None:
    absent = [image for image in (*vars(hub).values(), PACKAGES_IMAGE) if not images.exists(engine, image)]
    if absent and SERVER in record.entries:
        record.note(SERVER_IMAGES, sorted({*record.entries.get(SERVER_IMAGES, []), *absent}))


def _trusted(engine: Engine | None, address: Address) -> bool:
    return address.is_loopback or (engine is not None and engine.info().trusts(address))


def _trust(engine: Engine | None, address: Address, record: Record, listener: Listener) -> StepResult:
    if engine is None:
        return StepResult("trust", "unchanged", "there is no engine that would have to trust it")
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
    server: Started, choices: Choices, password: str | None, record: Record, listener: Listener
) -> tuple[StepResult, str | None]:
    """Log in with the new password. Without one a login that works stays; else a user is added."""
    if password is None and _logged_in(choices):
        return StepResult("login", "unchanged", "the stored login works"), None
    if password is None:
        _refuse_known_user(server, choices)
        password = generated_password()
        _note_of_server(record, USER, choices.user, server)
        users.add(server.files, choices.user, password)
    if stored.lookup(choices.address) is None:
        record.note(LOGIN, str(choices.address))
    credentials = Credentials(choices.user, password)
    done = logins.login(choices.address, credentials, timeout=choices.timeout, listener=listener)
    return StepResult("login", "changed", f"logged in as {choices.user}; kept in {done.stored}"), password


def _refuse_known_user(server: Started, choices: Choices) -> None:
    """A user's password is never changed unasked: others may be logged in with it."""
    if choices.user in users.names(server.files):
        raise NotAuthorized(
            f"the registry at {choices.address} has a user {choices.user}, and this machine is not logged in",
            hint=f"`devreg login {choices.address} -u {choices.user}`, "
            f"or a new password: `devreg registry user passwd {choices.user}`",
        )


def _image(engine: Engine | None, choices: Choices, record: Record, listener: Listener) -> list[StepResult]:
    """Make, push and pull the tour's image, unless the registry has it."""
    if _has(choices):
        return [StepResult("image", "unchanged", f"{choices.pushed} is in the registry")]
    if engine is None:
        return quickstart_image.by_layout(choices.address, record, listener, timeout=choices.timeout)
    return quickstart_image.by_engine(engine, choices.address, record, listener, timeout=choices.timeout)


def _has(choices: Choices) -> bool:
    """Whether the registry has the tour's image."""
    name = choices.pushed
    try:
        with open_registry(choices.address, timeout=choices.timeout) as registry:
            registry.head_manifest(name.repository, name.version)
    except NotFound:
        return False
    return True
