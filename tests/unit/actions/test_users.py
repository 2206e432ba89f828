"""The users file is changed by compare and swap: nobody's change is lost."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from devreg.actions.serving import users
from devreg.actions.serving.server_files import InContainer
from devreg.engine.client import connect
from devreg.model.errors import NotFound, ServerError, UsageError
from devreg.model.server import LABEL_ROLE, ServerFile
from devreg.server import push_rules
from devreg.server.definition import FILES, RULES_FILE, USERS_FILE
from tests.unit.engine.fake import FakeEngine, Held


@pytest.fixture
def files(fake: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> InContainer:
    monkeypatch.setattr("devreg.server.htpasswd.BCRYPT_COST", 4)
    fake.hold("devreg-nginx", Labels={LABEL_ROLE: "nginx"}).files[USERS_FILE] = b"alice:x\n"
    return InContainer(connect())


def meanwhile(text: str) -> Callable[[Held], None]:
    return lambda held: held.files.update({USERS_FILE: text.encode()})


def test_a_change_that_somebody_was_faster_than_is_made_again(files: InContainer, fake: FakeEngine) -> None:
    fake.meanwhile += [meanwhile("alice:x\nbob:y\n"), meanwhile("bob:y\n")]
    assert users.add(files, "carol", "pa55") is True
    assert users.names(files) == ("bob", "carol")
    assert len(fake.requests("POST", "/exec$")) == 3


def test_whether_a_user_is_new_is_told_of_what_was_there_in_the_end(files: InContainer, fake: FakeEngine) -> None:
    fake.meanwhile.append(meanwhile("alice:x\ncarol:y\n"))
    assert users.add(files, "carol", "pa55") is False
    assert users.names(files) == ("alice", "carol")


def test_a_user_whom_somebody_else_has_removed_is_not_found(files: InContainer, fake: FakeEngine) -> None:
    fake.meanwhile.append(meanwhile("bob:y\n"))
    with pytest.raises(NotFound):
        users.remove(files, "alice")
    assert users.names(files) == ("bob",)


def test_it_does_not_go_on_for_ever(files: InContainer, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(users, "_TRIES", 3)
    fake.meanwhile += [meanwhile(f"bob:{each}\n") for each in range(9)]
    with pytest.raises(ServerError, match="all the time"):
        users.add(files, "carol", "pa55")
    assert len(fake.requests("POST", "/exec$")) == 3
    assert users.names(files) == ("bob",)


@pytest.mark.parametrize(("name", "password"), [("a:b", "x"), ("", "x"), ("bob", ""), ("bob", "x" * 73)])
def test_who_cannot_be_is_refused_before_the_engine_is_asked(
    files: InContainer, fake: FakeEngine, name: str, password: str
) -> None:
    fake.asked.clear()
    with pytest.raises(UsageError):
        users.add(files, name, password)
    assert fake.asked == []


def test_a_server_that_is_stopped_takes_no_users(files: InContainer, fake: FakeEngine) -> None:
    for held in fake.containers.values():
        held.running = False
    with pytest.raises(ServerError, match="does not run"):
        users.add(files, "bob", "pa55")
    assert users.names(files) == ("alice",)


def test_rules_are_in_force_before_the_user_is_there(files: InContainer, fake: FakeEngine) -> None:
    users.add(files, "bob", "pa55", ("team/*",))
    scripts = fake.requests("POST", "/containers/.+/exec$")
    unread = FILES[ServerFile.UNREAD]
    assert [each.json["Cmd"][4] for each in scripts] == [unread, RULES_FILE, unread, USERS_FILE]
    order = [each.path.rpartition("/")[2] for each in fake.requests("POST", "/(exec|kill)$")]
    assert order == ["exec", "exec", "kill", "exec", "exec"], "a mark, the rules, the reload, no mark, the user"
    assert users.rules(files) == {"bob": ("team/*",)}


def test_without_rules_nothing_is_reloaded(files: InContainer, fake: FakeEngine) -> None:
    users.add(files, "bob", "pa55")
    users.set_password(files, "bob", "other")
    users.remove(files, "bob")
    assert fake.workers == 0


@pytest.mark.parametrize("killed", ["replace", "reload"])
def test_who_is_killed_before_the_reload_has_it_done_by_the_next(
    files: InContainer, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch, killed: str
) -> None:
    """Also where the rules are right already, so that nothing of them is left to write."""

    def dies(*words: object) -> bool:
        if killed == "reload" or words[1] is ServerFile.RULES:
            raise InterruptedError
        return replace(*words)

    replace: Callable[..., bool] = InContainer.replace
    with monkeypatch.context() as patch:
        patch.setattr(InContainer, killed, dies)
        with pytest.raises(InterruptedError):
            users.add(files, "bob", "pa55", ("team/*",))
    assert fake.workers == 0
    users.set_password(files, "alice", "other")
    assert fake.workers == 1
    users.set_password(files, "alice", "pa55")
    assert fake.workers == 1


def test_rules_that_somebody_else_has_made_meanwhile_stay_in_force(files: InContainer, fake: FakeEngine) -> None:
    users.add(files, "bob", "pa55", ("team/*",))
    fake.meanwhile += [meanwhile("alice:x\nbob:y:push=team/*\ncarol:z:push=c\n")]
    users.allow(files, "bob", ("b",))
    assert users.rules(files) == {"bob": ("b",), "carol": ("c",)}
    (held,) = fake.containers.values()
    assert held.files[RULES_FILE].decode() == push_rules.nginx_map(held.files[USERS_FILE].decode())


def test_a_new_password_is_for_users_that_are_there(files: InContainer) -> None:
    with pytest.raises(NotFound):
        users.set_password(files, "bob", "pa55")
    assert users.names(files) == ("alice",)


def test_the_rules_of_one_who_is_gone_are_gone(files: InContainer, fake: FakeEngine) -> None:
    users.add(files, "bob", "pa55", ("team/*",))
    users.remove(files, "bob")
    (held,) = fake.containers.values()
    assert held.files[RULES_FILE] == b""


def test_an_nginx_that_does_not_reload_is_told_of(
    files: InContainer, fake: FakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devreg.actions.serving.server_files._RELOAD_SECONDS", 0)
    fake.stuck = True
    with pytest.raises(ServerError, match="new configuration"):
        users.add(files, "bob", "pa55", ("team/*",))
    assert users.names(files) == ("alice",)
