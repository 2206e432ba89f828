from __future__ import annotations

import bcrypt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from devreg.model.errors import NotFound, UsageError
from devreg.server import htpasswd
from devreg.server.htpasswd import generated_password, users, with_user, without_user

NAMES = st.from_regex(r"[A-Za-z0-9._@-]{1,12}", fullmatch=True)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(htpasswd, "BCRYPT_COST", 4)


def test_what_nginx_will_check() -> None:
    name, _, digest = with_user("", "alice", "s3cret \u00e9").strip().partition(":")
    assert name == "alice"
    assert digest.startswith("$2y$04$")
    assert bcrypt.checkpw("s3cret \u00e9".encode(), digest.replace("$2y$", "$2b$").encode())
    assert not bcrypt.checkpw(b"other", digest.replace("$2y$", "$2b$").encode())


def test_the_cost_that_nginx_can_bear() -> None:
    import importlib

    assert importlib.reload(htpasswd).BCRYPT_COST == 8


def test_a_new_password_replaces_the_old() -> None:
    first = with_user("", "alice", "a")
    second = with_user(first, "alice", "b")
    assert users(second) == ("alice",)
    assert first != second


@given(st.lists(NAMES, unique=True, min_size=1, max_size=4))
def test_users_come_and_go_without_touching_each_other(names: list[str]) -> None:
    text = "".join(f"{name}:hash-of-{name}\n" for name in names)
    assert users(text) == tuple(sorted(names))
    less = without_user(text, names[0])
    assert users(less) == tuple(sorted(names[1:]))
    assert all(f"{name}:hash-of-{name}\n" in less for name in names[1:])


def test_a_name_that_begins_like_another_is_another() -> None:
    text = "al:1\nalice:2\n"
    assert without_user(text, "al") == "alice:2\n"


def test_empty_and_odd_lines_are_no_users() -> None:
    assert users("\nnonsense\nalice:1") == ("alice",)
    assert users("") == ()


def test_who_is_not_there_cannot_be_removed() -> None:
    with pytest.raises(NotFound, match="bob"):
        without_user("alice:1\n", "bob")


@pytest.mark.parametrize("name", ["", "a:b", "a b", "a\nb", "b\u00f6b", "x" * 65, "a/b", "#alice"])
def test_a_name_nobody_could_use_is_refused(name: str) -> None:
    with pytest.raises(UsageError):
        with_user("", name, "x")


@pytest.mark.parametrize("password", ["", "a\0b", "a\nb", "x" * 73, "\u00e9" * 37])
def test_a_password_nobody_could_use_is_refused(password: str) -> None:
    with pytest.raises(UsageError) as caught:
        with_user("", "alice", password)
    assert password not in caught.value.message or not password


def test_generated_passwords_differ_and_need_no_quotes() -> None:
    made = {generated_password() for _ in range(50)}
    assert len(made) == 50
    assert all(len(each) == 24 and each.isascii() and each.isalnum() for each in made)
