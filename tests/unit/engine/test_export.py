"""An image as the engine hands it out."""

from __future__ import annotations

import gc
import io
from collections.abc import Callable
from pathlib import Path

import docker
import pytest

from devreg.engine.client import Engine, connect
from devreg.engine.export import Stream, export
from devreg.model.errors import EngineRefused, EngineUnreachable, NotFound
from tests.unit.engine.fake import FakeEngine
from tests.unit.engine.stored import docker_archive, image

APP = image("base", "app", size=3_000_000)
Make = Callable[[], Engine]


def by_socket() -> Engine:
    return connect()


def by_sdk() -> Engine:
    """As for an engine at another kind of endpoint."""
    return Engine("tcp://engine:2376", docker.from_env(version="auto"))


both = pytest.mark.parametrize("make", [by_socket, by_sdk])


def read(stream: Stream, size: int = 100_000) -> bytes:
    """All of it, through a buffer of `size` bytes."""
    whole, buffer = io.BytesIO(), memoryview(bytearray(size))
    while count := stream.readinto(buffer):
        whole.write(buffer[:count])
    return whole.getvalue()


@pytest.fixture(autouse=True)
def has_app(fake: FakeEngine) -> None:
    fake.add("app:1", APP)


@both
@pytest.mark.parametrize("name", ["app:1", APP.id])
def test_all_bytes_come(make: Make, name: str) -> None:
    with export(make(), name) as stream:
        assert read(stream) == docker_archive([(APP, ())])


def test_the_sdks_chunks_are_larger_or_smaller_than_the_buffer() -> None:
    for size in (1000, 5_000_000):
        with export(by_sdk(), "app:1") as stream:
            assert read(stream, size) == docker_archive([(APP, ())])


@both
def test_an_image_that_is_not_there(make: Make) -> None:
    engine = make()
    with pytest.raises(NotFound, match="nope:1"), export(engine, "nope:1") as stream:
        read(stream)


@both
def test_an_engine_that_does_not_want_to(make: Make, fake: FakeEngine) -> None:
    fake.refusals["GET /images/app:1/get"] = (500, "no space left on device")
    engine = make()
    with pytest.raises(EngineRefused, match="no space left on device"), export(engine, "app:1") as stream:
        read(stream)


def test_an_engine_that_is_gone(tmp_path: Path) -> None:
    with (
        pytest.raises(EngineUnreachable, match=r"broke off the export of app:1"),
        export(Engine(f"unix://{tmp_path}/nobody"), "app:1"),
    ):
        pass


def test_one_that_is_left_in_the_middle_leaves_no_connection() -> None:
    with export(by_socket(), "app:1") as stream:
        stream.readinto(memoryview(bytearray(10)))
    del stream
    gc.collect()  # a socket that was left open would complain
