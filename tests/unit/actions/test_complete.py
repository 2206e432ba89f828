"""The names that complete a word: from the cache, inert, and fetched anew in the background."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import pytest

from devreg.actions import complete, refresh
from devreg.host.names_cache import NamesCache
from devreg.model.address import Address
from devreg.model.errors import EngineUnreachable
from tests.unit.engine.fake import FakeEngine

DEFAULT = Address("127.0.0.1", 5000)
OTHER = Address("reg.example", 5000)


@pytest.fixture(autouse=True)
def begun(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, ...]]:
    """What is begun in the background."""
    words: list[tuple[str, ...]] = []

    def begin(_module: str, what: Sequence[str], *, every: float) -> bool:
        assert every > 0
        words.append(tuple(what))
        return True

    monkeypatch.setattr("devreg.host.detached.begin", begin)
    return words


@pytest.fixture
def cache() -> NamesCache:
    with NamesCache() as cache:
        cache.learn_images(["app:1", "reg.example:5000/app:1", "tool:2"])
        cache.learn_repositories(DEFAULT, ["team/app", "team/app2", "solo"])
        cache.learn_tags(DEFAULT, "solo", {"1": None, "2": None})
        cache.learn_tags(DEFAULT, "team/app", {"1": None})
        cache.learn_repositories(OTHER, ["other"])
        cache.learn_tags(OTHER, "other", {"new": None})
    return cache


def told(portions: Iterable[list[str]]) -> list[str]:
    """All of them, as shells sort them."""
    return sorted(name for some in portions for name in some)


@pytest.mark.usefixtures("cache")
def test_names_do_not_wait_for_the_registries(monkeypatch: pytest.MonkeyPatch, begun: list[tuple[str, ...]]) -> None:
    def slow() -> list[str]:
        raise AssertionError("looked at")

    monkeypatch.setattr("devreg.host.credentials.registries", slow)
    assert next(complete.repositories("s", DEFAULT)) == ["solo"]
    assert next(complete.references("solo:", DEFAULT)) == ["solo:1", "solo:2"]
    assert begun == []


@pytest.mark.usefixtures("cache")
def test_local_images(begun: list[tuple[str, ...]]) -> None:
    assert told(complete.local_images("")) == ["app:1", "reg.example:5000/app:1", "tool:2"]
    assert told(complete.local_images("to")) == ["tool:2"]
    assert begun == [("images",)] * 2


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("", ["reg.example:5000/", "solo", "team/app", "team/app2"]),
        ("te", ["team/app", "team/app2"]),
        ("127", ["127.0.0.1:5000/"]),
        ("127.0.0.1:5000/so", ["127.0.0.1:5000/solo"]),
        ("reg.example:5000/", ["reg.example:5000/other"]),
        ("bad_host.example:1/x", []),
        ("http://reg", []),
    ],
)
def test_repositories(word: str, found: list[str]) -> None:
    assert told(complete.repositories(word, DEFAULT)) == found


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize(
    ("word", "found"),
    [
        ("te", ["team/app", "team/app2"]),
        ("team/app", ["team/app", "team/app2", "team/app:1"]),
        ("so", ["solo", "solo:1", "solo:2"]),
        ("solo:", ["solo:1", "solo:2"]),
        ("solo:2", ["solo:2"]),
        ("unknown:", []),
        ("reg.example:5000/other:n", ["reg.example:5000/other:new"]),
        ("reg.ex", ["reg.example:5000/"]),
    ],
)
def test_references(word: str, found: list[str]) -> None:
    assert told(complete.references(word, DEFAULT)) == found


def test_what_is_not_known_yet_is_fetched(begun: list[tuple[str, ...]]) -> None:
    assert told(complete.references("reg.example:5000/app:", DEFAULT)) == []
    assert begun == [("tags", "reg.example:5000", "app")]
    assert told(complete.repositories("reg.example:5000/", DEFAULT)) == []
    assert begun[1:] == [("repositories", "reg.example:5000")]


@pytest.mark.usefixtures("cache")
def test_registries(home: Path) -> None:
    file = home / ".docker/config.json"
    file.parent.mkdir()
    file.write_text('{"auths": {"login.example": {}}}')
    assert told(complete.registries("", ["mine:1", ""])) == [
        "127.0.0.1:5000",
        "login.example",
        "mine:1",
        "reg.example:5000",
    ]
    file.write_text("broken")
    assert told(complete.registries("mine", ["mine:1"])) == ["mine:1"]


@pytest.mark.parametrize(
    "name",
    ["$(touch x)", "`x`", "a b", "a;b", "a\nb", "-x", "a|b", "a'b", 'a"b', "a\x1b[2Jb", "~a", "a*", "é", ":files"],
)
def test_what_a_shell_would_take_for_more_than_a_name_is_left_out(name: str) -> None:
    with NamesCache() as cache:
        cache.learn_repositories(DEFAULT, [name, "app"])
        cache.learn_tags(DEFAULT, "app", {name: None, "1": None})
        cache.learn_images([name])
    assert told(complete.repositories("", DEFAULT)) == ["app"]
    assert set(told(complete.references("app:", DEFAULT))) <= {"app:1", "app:-x", "app::files"}
    assert told(complete.local_images("")) == []


@pytest.mark.parametrize("damage", ["garbage", "a folder"])
def test_a_cache_that_is_broken_knows_nothing(home: Path, damage: str) -> None:
    file = home / "cache/devreg/names.sqlite"
    file.parent.mkdir(parents=True)
    if damage == "a folder":
        file.mkdir()
    else:
        file.write_bytes(b"no database" * 1000)
    assert told(complete.references("app", DEFAULT)) == []
    assert told(complete.local_images("")) == []


def test_local_images_are_fetched(fake: FakeEngine) -> None:
    fake.images.update({"app:1": "sha256:1", "b:2": "sha256:2"})
    refresh.images()
    assert told(complete.local_images("")) == ["app:1", "b:2"]


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize("work", [refresh.images, lambda: refresh.repositories(str(OTHER))])
def test_names_stay_where_nobody_answers(monkeypatch: pytest.MonkeyPatch, work: Callable[[], None]) -> None:
    def unreachable(*_: object, **__: object) -> object:
        raise EngineUnreachable("nobody", hint="wait")

    monkeypatch.setattr("devreg.actions.reach.open_registry", unreachable)
    with pytest.raises(EngineUnreachable):
        work()
    assert told(complete.local_images("to")) == ["tool:2"]
    assert told(complete.repositories("reg.example:5000/", DEFAULT)) == ["reg.example:5000/other"]
