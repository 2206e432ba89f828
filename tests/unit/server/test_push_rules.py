"""Rules of users as they are kept, and as nginx obeys them: every pattern against the names that it means."""

from __future__ import annotations

import re
from fnmatch import fnmatchcase

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devreg.model.errors import NotFound, UsageError
from devreg.server import htpasswd, push_rules

GLOBS = st.from_regex(r"[a-z*?][a-z0-9._*?-]{0,5}(/[a-z0-9._*?-]{1,4}){0,2}", fullmatch=True)
NAMES = st.from_regex(r"[a-z0-9._-]{1,6}(/[a-z0-9._-]{1,4}){0,2}", fullmatch=True)


def may(text: str, user: str, repository: str) -> bool:
    """What nginx's map makes of it: the first pattern that is found, else the default."""
    for line in push_rules.nginx_map(text).splitlines():
        found = re.fullmatch(r'"~(\^[^"]+)" ([01]);', line)
        assert found, line
        if re.search(found[1], f"{user}:{repository}"):
            return found[2] == "1"
    return True


@given(st.lists(GLOBS, min_size=1, max_size=3), NAMES)
def test_a_glob_means_what_it_means_everywhere_else(globs: list[str], repository: str) -> None:
    text = htpasswd.with_rules("a.b:hash\n", "a.b", tuple(globs))
    assert may(text, "a.b", repository) is any(fnmatchcase(repository, glob) for glob in globs)
    assert may(text, "a.b", ""), "a login asks about no repository"
    assert may(text, "axb", repository)
    assert may(text, "a.b.c", repository)


def test_what_is_no_repository_is_for_users_without_rules() -> None:
    text = htpasswd.with_rules("alice:hash\nbob:hash\n", "alice", ("team/*",))
    assert not may(text, "alice", "?")
    assert may(text, "bob", "?")


def test_rules_are_kept_beside_the_password_and_outlive_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(htpasswd, "BCRYPT_COST", 4)
    text = htpasswd.with_rules("bob:x\nalice:$2y$04$abc\n", "alice", ("team/*", "app"))
    assert text == "bob:x\nalice:$2y$04$abc:push=team/*,app\n"
    again = htpasswd.with_user(text, "alice", "new")
    assert htpasswd.rules(again) == {"alice": ("team/*", "app")}
    assert htpasswd.rules(htpasswd.with_rules(again, "alice", None)) == {}
    assert htpasswd.users(text) == ("alice", "bob")


def test_a_comment_of_somebody_elses_is_no_rule() -> None:
    assert htpasswd.rules("alice:hash:Alice of the team\n") == {}
    assert push_rules.nginx_map("alice:hash:Alice of the team\n") == ""


def test_who_is_not_there_gets_no_rules() -> None:
    with pytest.raises(NotFound):
        htpasswd.with_rules("bob:x\n", "alice", ("a",))


@pytest.mark.parametrize(
    "glob",
    [
        "", "Team/*", "/team", "team/", "team//app", 'a" 1; }', "a;b", "a b", "a,b", "a:b", "a\nb", "$a", "a{b}",
        "[a-z]", "(a)", "a\\", "é", "a|b", "a+", "^a", "x" * 256, "-a", ".a", "registry.example.com:5000/a", "~a",
    ],
)  # fmt: skip
def test_what_could_be_more_than_a_pattern_is_refused(glob: str) -> None:
    with pytest.raises(UsageError):
        push_rules.check((glob,))
    with pytest.raises(UsageError):
        htpasswd.with_rules("alice:x\n", "alice", (glob,))
