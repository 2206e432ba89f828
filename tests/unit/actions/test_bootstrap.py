"""The steps of a bootstrap: which are taken, what each says, and what rests on what. The means are stand-ins."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import pytest

from devreg.actions import bootstrap as action
from devreg.actions.bootstrap import Bootstrapped, Means
from devreg.host import credentials as stored
from devreg.model.address import Address
from devreg.model.credentials import Credentials
from devreg.model.declaration import Declaration, DeclaredRegistry, PasswordSource
from devreg.model.errors import EngineRefused, NotAuthorized, NotFound
from devreg.model.events import silent
from devreg.model.reference import Reference
from devreg.model.results import LoggedIn, Pulled

REG, OTHER = Address("reg.example", 5000), Address("other.example")
CI = PasswordSource("env", "CI_PASSWORD")
SHA = "ab" * 32


@dataclass
class World:
    """What the steps work on, and what was done to it."""

    folder: Path
    default: Address | None = None
    trusted: set[Address] = field(default_factory=set)
    images: set[str] = field(default_factory=set)
    passwords: set[str] = field(default_factory=lambda: {"right"})
    refuses_trust: bool = False
    outdated: bool = False
    done: list[str] = field(default_factory=list)
    cas: list[bytes | str] = field(default_factory=list)

    def set_default(self, address: Address, only_look: bool) -> bool:
        changed = self.default != address
        if not only_look:
            self.default = address
            self.done.append("default")
        return changed

    def trust(self, address: Address, only_look: bool) -> bool:
        if self.refuses_trust:
            raise EngineRefused("the engine\nkeeps its list", hint="look")
        changed = address not in self.trusted
        if not only_look:
            self.trusted.add(address)
            self.done.append("trust")
        return changed

    def trust_ca(self, address: Address, ca: bytes | str, only_look: bool) -> bool:
        self.cas.append(ca)
        return self.trust(address, only_look)

    def login(self, address: Address, credentials: Credentials, **_: object) -> LoggedIn:
        if credentials.secret not in self.passwords:
            raise NotAuthorized("wrong password", hint="mend it")
        stored.store(address, credentials)
        self.done.append("login")
        return LoggedIn(str(address), credentials.username, "the file")

    def accepted(self, _address: Address, credentials: Credentials, **_: object) -> bool:
        return credentials.secret in self.passwords

    def pull(self, _engine: object, name: Reference, _listener: object) -> Pulled:
        if name.repository == "nope":
            raise NotFound(f"{name} was not pulled: not found", hint="look")
        changed = str(name) not in self.images
        self.images.add(str(name))
        self.done.append("pull")
        return Pulled(str(name), "sha256:1", changed)

    def run(self, declaration: Declaration, *, check: bool = False, stdin: str = "") -> Bootstrapped:
        means = Means(
            self.set_default, self.trust, self.trust_ca, lambda: stdin, lambda: Address("127.0.0.1", 5000), 1, silent
        )
        return action.bootstrap(declaration, self.folder, means, check=check)


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> World:
    world = World(tmp_path)
    monkeypatch.setenv("CI_PASSWORD", "right")
    monkeypatch.setattr("devreg.actions.login.login", world.login)
    monkeypatch.setattr("devreg.actions.login.accepted", world.accepted)
    monkeypatch.setattr("devreg.actions.pull.pull", world.pull)
    monkeypatch.setattr("devreg.actions.bootstrap.open_engine", lambda: None)
    monkeypatch.setattr("devreg.actions.would_pull.is_here", lambda _, name: str(name) in world.images)
    monkeypatch.setattr("devreg.actions.would_pull.newer", lambda *_, **__: "sha256:2" if world.outdated else None)
    return world


def states(done: Bootstrapped) -> dict[str, str]:
    return {step.name: step.state for step in done.steps}


def details(done: Bootstrapped) -> dict[str, str]:
    return {step.name: step.detail for step in done.steps}


WHOLE = Declaration(REG, (DeclaredRegistry(REG, "insecure", username="ci", password=CI),), (Reference("app", tag="1"),))
STEPS = ["default registry", "trust reg.example:5000", "login reg.example:5000", "pull reg.example:5000/app:1"]


def test_everything_is_brought_about_and_stays(world: World) -> None:
    first = world.run(WHOLE)
    assert states(first) == dict.fromkeys(STEPS, "changed")
    assert (first.errors, len(first.changed)) == ((), 4)
    assert (world.default, world.trusted, stored.lookup(REG)) == (REG, {REG}, Credentials("ci", "right"))
    second = world.run(WHOLE)
    assert states(second) == dict.fromkeys(STEPS, "unchanged")
    assert world.done.count("login") == 1


def test_a_check_tells_what_a_run_would_do_and_does_nothing(world: World) -> None:
    before = world.run(WHOLE, check=True)
    assert states(before) == dict.fromkeys(STEPS, "changed")
    assert all("would" in detail for detail in details(before).values())
    assert world.done == []
    world.run(WHOLE)
    assert states(world.run(WHOLE, check=True)) == dict.fromkeys(STEPS, "unchanged")


def test_nothing_declared_is_nothing_done(world: World) -> None:
    assert world.run(Declaration()) == Bootstrapped((), ())


def test_names_without_a_registry_belong_to_the_declared_default(world: World) -> None:
    names = Declaration(REG, pull=(Reference("app"), Reference("b", OTHER)))
    assert list(states(world.run(names))) == [STEPS[0], "pull reg.example:5000/app", "pull other.example/b"]


def test_else_to_the_default_of_this_machine(world: World) -> None:
    assert list(states(world.run(Declaration(pull=(Reference("app"),))))) == ["pull 127.0.0.1:5000/app"]


def test_a_host_that_docker_would_take_for_an_account_is_not_pulled_from(world: World) -> None:
    done = world.run(Declaration(Address("plain"), pull=(Reference("app"),)))
    assert states(done)["pull plain/app"] == "failed"
    assert world.done == ["default"]


def test_what_rests_on_a_failed_trust_is_not_tried(world: World) -> None:
    world.refuses_trust = True
    other = Reference("b", OTHER)
    done = world.run(Declaration(REG, WHOLE.registries, (*WHOLE.pull, other)))
    assert list(states(done).values()) == ["changed", "failed", "failed", "failed", "changed"]
    assert details(done)[STEPS[1]] == "the engine keeps its list"
    assert details(done)[STEPS[2]] == details(done)[STEPS[3]] == f"not tried, since this failed: {STEPS[1]}"
    assert [error.code for error in done.errors] == ["engine-refused"]
    assert world.done == ["default", "pull"]


def test_a_wrong_password_fails_its_step_alone(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI_PASSWORD", "wrong")
    done = world.run(WHOLE)
    assert [states(done)[step] for step in STEPS] == ["changed", "changed", "failed", "changed"]
    assert stored.lookup(REG) is None


@pytest.mark.parametrize("kept", [True, False])
def test_a_check_finds_a_wrong_password(world: World, kept: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    world.run(WHOLE)
    world.passwords.clear()
    if not kept:
        monkeypatch.setenv("CI_PASSWORD", "wrong")
    done = world.run(WHOLE, check=True)
    assert states(done)[STEPS[2]] == "failed"
    assert "refuses the password of ci" in details(done)[STEPS[2]]


def test_a_login_that_the_registry_no_longer_takes_is_tried_again(world: World) -> None:
    world.run(WHOLE)
    world.passwords.clear()
    assert states(world.run(WHOLE))[STEPS[2]] == "failed"


def test_a_new_password_is_logged_in_with(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.run(WHOLE)
    world.passwords.add("newer")
    monkeypatch.setenv("CI_PASSWORD", "newer")
    assert states(world.run(WHOLE))[STEPS[2]] == "changed"
    assert stored.lookup(REG) == Credentials("ci", "newer")


def test_an_image_that_is_not_there_fails_its_step_alone(world: World) -> None:
    done = world.run(Declaration(REG, pull=(Reference("nope"), Reference("app"))))
    assert list(states(done).values()) == ["changed", "failed", "changed"]


def test_a_check_finds_a_newer_image(world: World) -> None:
    world.run(WHOLE)
    world.outdated = True
    done = world.run(WHOLE, check=True)
    assert states(done)[STEPS[3]] == "changed"
    assert "sha256:2" in details(done)[STEPS[3]]


def test_a_check_asks_no_registry_that_is_not_yet_trusted(world: World) -> None:
    world.run(WHOLE)
    world.trusted.clear()
    world.passwords.clear()
    world.outdated = True
    done = world.run(WHOLE, check=True)
    assert [states(done)[step] for step in STEPS] == ["unchanged", "changed", "unchanged", "unchanged"]


def test_a_ca_comes_from_its_file_or_by_its_fingerprint(world: World) -> None:
    (world.folder / "ca.pem").write_bytes(b"PEM")
    entries = (DeclaredRegistry(REG, "ca", ca="ca.pem"), DeclaredRegistry(OTHER, "ca", fingerprint=SHA))
    assert set(states(world.run(Declaration(registries=entries))).values()) == {"changed"}
    assert world.cas == [b"PEM", SHA]


def test_a_missing_ca_fails_the_trust(world: World) -> None:
    done = world.run(Declaration(registries=(DeclaredRegistry(REG, "ca", ca="ca.pem"),)))
    assert states(done) == {STEPS[1]: "failed"}
    assert str(world.folder / "ca.pem") in details(done)[STEPS[1]]


@pytest.mark.parametrize("source", [PasswordSource("stdin"), PasswordSource("file", "pw")])
@pytest.mark.parametrize("text", ["right", "right\n", "right\r\n", "right\nsecond line\n"])
def test_the_password_is_the_first_line(world: World, source: PasswordSource, text: str) -> None:
    (world.folder / "pw").write_bytes(text.encode())
    entry = DeclaredRegistry(REG, username="ci", password=source)
    assert states(world.run(Declaration(registries=(entry,)), stdin=text)) == {STEPS[2]: "changed"}


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (PasswordSource("env", "NOT_SET"), "environment variable NOT_SET"),
        (PasswordSource("file", "empty"), "empty"),
        (PasswordSource("file", "missing"), "missing"),
        (PasswordSource("file", "binary"), "not UTF-8"),
        (PasswordSource("stdin"), "standard input"),
    ],
)
def test_a_missing_password_fails_the_login(world: World, source: PasswordSource, said: str) -> None:
    (world.folder / "empty").write_text("\nx")
    (world.folder / "binary").write_bytes(b"\xff\xfe")
    done = world.run(Declaration(registries=(DeclaredRegistry(REG, username="ci", password=source),)))
    assert states(done) == {STEPS[2]: "failed"}
    assert said in details(done)[STEPS[2]]
