"""Images in the engine, through the real SDK."""

from __future__ import annotations

import io
from collections.abc import Callable

import pytest

from devreg.engine import images
from devreg.engine.client import Engine, connect
from devreg.model.credentials import Credentials
from devreg.model.engine import LocalImage
from devreg.model.errors import DevregError, EngineRefused, NotAuthorized, NotFound, RegistryUnreachable, UploadFailed
from devreg.model.events import Event, Layer, Listener, silent
from devreg.model.reference import Reference
from tests.unit.engine.fake import DIGEST, FakeEngine
from tests.unit.engine.stored import image

Job = Callable[[Engine, Reference, Credentials | None, Listener], object]
NAME = Reference.parse("reg.example:5000/team/app:1")


@pytest.fixture
def engine(fake: FakeEngine) -> Engine:
    fake.images["app:1"] = "sha256:1"
    return connect()


def test_an_image_is_tagged(engine: Engine, fake: FakeEngine) -> None:
    images.tag(engine, "app:1", NAME)
    assert fake.images["reg.example:5000/team/app:1"] == "sha256:1"


def test_a_name_without_a_tag_means_latest(engine: Engine, fake: FakeEngine) -> None:
    images.tag(engine, "app:1", Reference.parse("reg.example/app"))
    assert "reg.example/app:latest" in fake.images


def test_an_image_that_is_not_there_cannot_be_tagged(engine: Engine) -> None:
    with pytest.raises(NotFound, match="no local image nope"):
        images.tag(engine, "nope", NAME)


def test_a_push_gives_digest_and_layers(engine: Engine, heard: list[Event]) -> None:
    transfer = images.push(engine, NAME, None, heard.append)
    assert transfer.digest == DIGEST
    assert [event.id for event in heard if isinstance(event, Layer) and event.done] == ["a" * 12, "b" * 12]


@pytest.mark.parametrize(
    ("credentials", "sent"),
    [
        (None, {}),
        (Credentials("alice", "s3cret"), {"username": "alice", "password": "s3cret"}),
        (Credentials("<token>", "abc"), {"identitytoken": "abc"}),
    ],
)
def test_the_engine_always_gets_an_auth_config(
    engine: Engine, fake: FakeEngine, credentials: Credentials | None, sent: dict[str, str]
) -> None:
    images.push(engine, NAME, credentials, silent)
    images.pull(engine, NAME, credentials, silent)
    [push] = fake.requests("POST", "/push$")
    [pull] = fake.requests("POST", "/images/create$")
    assert push.auth == sent
    assert pull.auth == sent


def test_a_push_that_fails_in_the_stream_is_a_failure(engine: Engine, fake: FakeEngine) -> None:
    fake.push_lines.append({"error": "x", "errorDetail": {"message": "unauthorized: authentication required"}})
    with pytest.raises(UploadFailed, match="unauthorized: authentication required"):
        images.push(engine, NAME, None, silent)


@pytest.mark.parametrize("job", [images.push, images.pull])
def test_an_engine_that_goes_away_in_the_middle_is_a_foreseen_failure(
    engine: Engine, fake: FakeEngine, job: Job
) -> None:
    fake.breaks_off = True
    with pytest.raises(DevregError):
        job(engine, NAME, None, silent)


def test_a_pull_by_tag_and_by_digest(engine: Engine, fake: FakeEngine) -> None:
    assert images.pull(engine, NAME, None, silent).fresh
    images.pull(engine, Reference.parse(f"reg.example/app@{DIGEST}"), None, silent)
    asked = [(each.query["fromImage"], each.query["tag"]) for each in fake.requests("POST", "/images/create$")]
    assert asked == [("reg.example:5000/team/app", "1"), ("reg.example/app", DIGEST)]


@pytest.mark.parametrize(
    ("why", "expected"),
    [
        ("manifest for reg.example:5000/team/app:1 not found: manifest unknown: manifest unknown", NotFound),
        ("unauthorized: authentication required", NotAuthorized),
        ("pull access denied for app, repository does not exist or may require 'docker login'", NotAuthorized),
        ('Get "https://reg.example:5000/v2/": dial tcp: connect: connection refused', RegistryUnreachable),
        ('Get "https://reg.example:5000/v2/": http: server gave HTTP response to HTTPS client', RegistryUnreachable),
    ],
)
@pytest.mark.parametrize("in_stream", [True, False], ids=["in-the-stream", "as-status"])
def test_a_pull_that_fails_says_why(
    engine: Engine, fake: FakeEngine, why: str, expected: type[DevregError], in_stream: bool
) -> None:
    if in_stream:
        fake.pull_lines = [{"error": why, "errorDetail": {"message": why}}]
    else:
        fake.refusals["POST /images/create"] = (500, why)
    with pytest.raises(expected) as caught:
        images.pull(engine, NAME, None, silent)
    assert why in caught.value.message
    assert caught.value.hint


def test_the_engines_404_is_not_found_whatever_it_says(engine: Engine, fake: FakeEngine) -> None:
    fake.refusals["POST /images/create"] = (404, "no")
    with pytest.raises(NotFound):
        images.pull(engine, NAME, None, silent)


def test_an_image_is_imported_from_a_file_system(engine: Engine, fake: FakeEngine) -> None:
    images.import_rootfs(engine, io.BytesIO(b"tar" * 1000), "hello:1")
    [asked] = fake.requests("POST", "/images/create$")
    assert asked.body == b"tar" * 1000
    assert "hello:1" in fake.images


def test_an_import_that_the_engine_refuses_is_a_failure(engine: Engine, fake: FakeEngine) -> None:
    fake.refusals["POST /images/create"] = (500, "no space left on device")
    with pytest.raises(EngineRefused, match="no space left on device"):
        images.import_rootfs(engine, io.BytesIO(b"tar"), "hello:1")


def test_an_image_is_removed_once(engine: Engine, fake: FakeEngine) -> None:
    assert images.remove(engine, "app:1") is True
    assert images.remove(engine, "app:1") is False
    assert fake.images == {}


def test_an_engine_that_goes_away_is_not_taken_for_a_missing_image(engine: Engine, fake: FakeEngine) -> None:
    fake.refusals["GET /images/"] = (500, "database is locked")
    with pytest.raises(EngineRefused, match="database is locked"):
        images.exists(engine, "app:1")


@pytest.mark.parametrize(
    ("image", "expected"),
    [
        ("abcdef012345", True),
        ("abcd", True),
        ("abcdef012345" + "0" * 52, True),
        ("beef", False),
        ("cafe", False),
        ("app:1", False),
        ("abc", False),
        (f"sha256:abcdef012345{'0' * 52}", True),
        ("sha256:abcdef", True),
        ("sha256:fedcba", False),
    ],
)
def test_an_id_is_told_from_a_name(engine: Engine, fake: FakeEngine, image: str, expected: bool) -> None:
    fake.images |= {"app:2": f"sha256:abcdef012345{'0' * 52}", "beef": f"sha256:{'1' * 64}"}
    assert images.is_id(engine, image) is expected


APP = image("base", "app", size=1000)


def test_what_the_engine_says_of_an_image(engine: Engine, fake: FakeEngine) -> None:
    fake.add("app:2", APP)
    expected = LocalImage(APP.id, tuple(APP.diff_ids), sum(map(len, APP.layers)), "linux/amd64")
    assert images.local(engine, "app:2") == expected
    assert images.local(engine, APP.id[7:19]) == expected
    with pytest.raises(NotFound, match="no local image nope"):
        images.local(engine, "nope")


def test_the_sizes_of_layers_are_in_the_history(engine: Engine, fake: FakeEngine) -> None:
    fake.add("app:2", APP)
    local = images.local(engine, "app:2")
    base, app = APP.diff_ids
    assert images.layer_sizes(engine, local, [app, base]) == (len(APP.layers[1]), len(APP.layers[0]))
    assert images.layer_sizes(engine, local, []) == ()
    other = LocalImage(APP.id, (base, app, DIGEST), 0)
    assert images.layer_sizes(engine, other, [app, DIGEST]) == (None, None)


def test_the_layers_of_all_images(engine: Engine, fake: FakeEngine) -> None:
    other = image("base", "other", size=1000)
    fake.add("app:2", APP)
    fake.add("other:1", other)
    assert images.all_layers(engine) == {*APP.diff_ids, *other.diff_ids}


def test_the_names_of_all_images(engine: Engine, fake: FakeEngine) -> None:
    fake.images.update({"app:1": "sha256:1", "reg.example:5000/app:1": "sha256:1", "tool:2": "sha256:2"})
    assert sorted(images.names(engine)) == ["app:1", "reg.example:5000/app:1", "tool:2"]
