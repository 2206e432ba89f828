"""The users file is changed by compare and swap: nobody's change is lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from devreg.actions import users
from devreg.actions.users_file import InContainer
from devreg.engine.client import connect
from devreg.model.errors import NotFound, ServerError, UsageError
from devreg.model.server import LABEL_ROLE
from devreg.server.definition import USERS_FILE
from tests.unit.engine.fake import FakeEngine, Held


@pytest.fixture
def file(fake: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> InContainer:
    monkeypatch.setattr("devreg.server.htpasswd.BCRYPT_COST", 4)
    fake.hold("devreg-nginx", Labels={LABEL_ROLE: "nginx"}).files[USERS_FILE] = b"alice:x\n"
    return InContainer(connect())


def meanwhile(text: str) -> Callable[[Held], None]:
    return lambda held: held.files.update({USERS_FILE: text.encode()})


def test_a_change_that_somebody_was_faster_than_is_made_again(file: InContainer, fake: FakeEngine) -> None:
    fake.meanwhile += [meanwhile("alice:x\nbob:y\n"), meanwhile("bob:y\n")]
    assert users.add(file, "carol", "pa55") is True
    assert users.names(file) == ("bob", "carol")
    assert len(fake.requests("POST", "/exec$")) == 3


def test_whether_a_user_is_new_is_told_of_what_was_there_in_the_end(file: InContainer, fake: FakeEngine) -> None:
    fake.meanwhile.append(meanwhile("alice:x\ncarol:y\n"))
    assert users.add(file, "carol", "pa55") is False
    assert users.names(file) == ("alice", "carol")


def test_a_user_whom_somebody_else_has_removed_is_not_found(file: InContainer, fake: FakeEngine) -> None:
    fake.meanwhile.append(meanwhile("bob:y\n"))
    with pytest.raises(NotFound):
        users.remove(file, "alice")
    assert users.names(file) == ("bob",)


def test_it_does_not_go_on_for_ever(file: InContainer, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(users, "_TRIES", 3)
    fake.meanwhile += [meanwhile(f"bob:{each}\n") for each in range(9)]
    with pytest.raises(ServerError, match="all the time"):
        users.add(file, "carol", "pa55")
    assert len(fake.requests("POST", "/exec$")) == 3
    assert users.names(file) == ("bob",)


@pytest.mark.parametrize(("name", "password"), [("a:b", "x"), ("", "x"), ("bob", ""), ("bob", "x" * 73)])
def test_who_cannot_be_is_refused_before_the_engine_is_asked(
    file: InContainer, fake: FakeEngine, name: str, password: str
) -> None:
    fake.asked.clear()
    with pytest.raises(UsageError):
        users.add(file, name, password)
    assert fake.asked == []


def test_a_server_that_is_stopped_takes_no_users(file: InContainer, fake: FakeEngine) -> None:
    for held in fake.containers.values():
        held.running = False
    with pytest.raises(ServerError, match="does not run"):
        users.add(file, "bob", "pa55")
    assert users.names(file) == ("alice",)
