"""What the words of `devreg push` mean."""

from __future__ import annotations

from pathlib import Path

import pytest

from devreg.actions.naming import Names, Target
from devreg.actions.push_sources import Source, is_path, missing, refuse_same_name, sources
from devreg.engine.client import Engine
from devreg.model.address import Address
from devreg.model.errors import ArchiveUnusable, NotFound, UsageError
from devreg.model.reference import Destination

NAMES = Names(Destination.parse("reg:1"))


def no_engine() -> Engine:
    raise AssertionError("the engine was asked")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("word", ["./app", "../app", "/app", "~/app", ".", "..", "app/", "app.tar", "a/b.tgz", "x.oci"])
def test_paths(word: str) -> None:
    assert is_path(word)


@pytest.mark.parametrize("word", ["app", "app:1", "team/app", "reg:1/app:1.tar", "app.tar:latest", "a" * 5000])
def test_names_of_images(word: str) -> None:
    assert not is_path(word)


def test_what_lies_here(folder: Path) -> None:
    for each in ("layout", "site"):
        (folder / each).mkdir()
    (folder / "layout/oci-layout").touch()
    (folder / "site/index.json").touch()
    (folder / "site/manifest.json").touch()
    (folder / "app:1.tar").touch()
    assert is_path("layout")
    assert is_path("app:1.tar")
    assert not is_path("site")


@pytest.mark.parametrize("word", ["app:1", "cafe:1", "reg:1/cafe"])
def test_the_engine_is_not_asked_what_a_name_is(word: str) -> None:
    [source] = sources(word, NAMES, no_engine)
    assert not source.is_archive
    assert source.target.registry == Address.parse("reg:1")


def test_the_engine_is_asked_what_may_be_an_id(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devreg.engine.images.is_id", lambda _engine, word: word == "beef")
    engine = Engine("unix:///nowhere")
    [source] = sources("cafe", NAMES, lambda: engine)
    assert source.target.repository == "cafe"
    with pytest.raises(UsageError, match="beef is an image's id"):
        sources("beef", NAMES, lambda: engine)
    [named] = sources("beef", Names(NAMES.default, name="app:1"), no_engine)
    assert named.target == Target(Address.parse("reg:1"), "app", ("1",))


def test_a_pipe_is_an_archive_with_a_given_name() -> None:
    [source] = sources("-", Names(NAMES.default, name="app:1"), no_engine)
    assert source.is_archive
    with pytest.raises(UsageError, match="has no name"):
        sources("-", NAMES, no_engine)


def test_a_file_that_breaks_while_it_is_looked_through(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_path: Path) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("devreg.direct.archive.images", fail)
    with pytest.raises(ArchiveUnusable, match=r"\./x\.tar cannot be read: Input/output error"):
        sources("./x.tar", NAMES, no_engine)


def test_one_name_for_two() -> None:
    first, second, third = (
        Source(word, Target(Address.parse("reg:1"), "app", tags))
        for word, tags in (("a", ("1", "2")), ("b", ("3",)), ("c", ("4", "2")))
    )
    refuse_same_name((first, second))
    with pytest.raises(UsageError, match="a and c would both be reg:1/app:2"):
        refuse_same_name((first, second, third))


def test_a_missing_image_and_what_is_called_so(folder: Path) -> None:
    error = NotFound("no local image app", hint="look")
    assert missing("app", error) is error
    (folder / "app").mkdir()
    assert missing("app", error).hint == "./app is pushed as ./app"
