"""Which images the server runs from: pulled, there already, or built from packages."""

from __future__ import annotations

import pytest

from devreg.actions.serving import server_images
from devreg.actions.serving.server_images import ensure
from devreg.engine.client import Engine, connect
from devreg.host import credentials
from devreg.model.address import Address
from devreg.model.credentials import Credentials
from devreg.model.errors import ServerError
from devreg.model.events import Event, Warn, silent
from devreg.model.server import ImagesFrom, ServerImages
from devreg.server.definition import HUB_IMAGES, PACKAGES_IMAGE
from tests.unit.engine.fake import FakeEngine

CHOSEN = ServerImages("reg.example:5000/registry:9", "reg.example:5000/nginx:9")
PACKAGED = ServerImages(PACKAGES_IMAGE, PACKAGES_IMAGE)


@pytest.fixture
def engine(fake: FakeEngine) -> Engine:
    del fake  # listens now
    return connect()


@pytest.fixture
def built(fake: FakeEngine, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The images that were built from packages."""
    made: list[str] = []

    def build(_engine: Engine) -> None:
        made.append(PACKAGES_IMAGE)
        fake.images[PACKAGES_IMAGE] = "sha256:7"

    monkeypatch.setattr(server_images, "_import_packages", build)
    monkeypatch.setattr("devreg.host.packages.available", lambda: True)
    return made


def offline(fake: FakeEngine) -> None:
    fake.pull_lines = [{"error": "dial tcp: lookup registry-1.docker.io: no such host"}]


@pytest.mark.parametrize("source", [ImagesFrom.AUTO, ImagesFrom.HUB])
@pytest.mark.parametrize("packaged", [True, False])
def test_images_that_somebody_chose_are_never_replaced(
    engine: Engine, fake: FakeEngine, built: list[str], source: ImagesFrom, packaged: bool
) -> None:
    if packaged:
        fake.images[PACKAGES_IMAGE] = "sha256:7"
    offline(fake)
    with pytest.raises(ServerError, match="registry:9") as caught:
        ensure(engine, CHOSEN, source, silent)
    assert "docker load" in caught.value.hint
    assert built == []


def test_images_that_somebody_chose_are_pulled_even_where_packaged_ones_are(
    engine: Engine, fake: FakeEngine, built: list[str]
) -> None:
    fake.images[PACKAGES_IMAGE] = "sha256:7"
    credentials.store(Address.parse("reg.example:5000"), Credentials("alice", "s3cret"))
    assert ensure(engine, CHOSEN, ImagesFrom.AUTO, silent) == CHOSEN
    asked = fake.requests("POST", "/images/create$")
    assert [each.query["fromImage"] for each in asked] == ["reg.example:5000/registry", "reg.example:5000/nginx"]
    assert all(each.auth == {"username": "alice", "password": "s3cret"} for each in asked)
    assert built == []


@pytest.mark.parametrize("images", [HUB_IMAGES, CHOSEN])
def test_what_is_there_is_neither_pulled_nor_built(
    engine: Engine, fake: FakeEngine, built: list[str], images: ServerImages
) -> None:
    fake.images |= {images.registry: "sha256:1", images.nginx: "sha256:2", PACKAGES_IMAGE: "sha256:7"}
    assert ensure(engine, images, ImagesFrom.AUTO, silent) == images
    assert fake.requests("POST", "/images/create$") == []
    assert built == []


def test_what_was_built_before_is_used_again(engine: Engine, fake: FakeEngine, built: list[str]) -> None:
    fake.images[PACKAGES_IMAGE] = "sha256:7"
    assert ensure(engine, HUB_IMAGES, ImagesFrom.AUTO, silent) == PACKAGED
    assert ensure(engine, HUB_IMAGES, ImagesFrom.PACKAGES, silent) == PACKAGED
    assert fake.requests("POST", "/images/create$") == []
    assert built == []


def test_the_default_images_are_built_where_they_cannot_be_pulled(
    engine: Engine, fake: FakeEngine, built: list[str], heard: list[Event]
) -> None:
    offline(fake)
    assert ensure(engine, HUB_IMAGES, ImagesFrom.AUTO, heard.append) == PACKAGED
    assert built == [PACKAGES_IMAGE]
    assert [event for event in heard if isinstance(event, Warn) and "no such host" in event.text]


def test_who_wants_the_hubs_gets_no_others(engine: Engine, fake: FakeEngine, built: list[str]) -> None:
    offline(fake)
    with pytest.raises(ServerError, match="no such host"):
        ensure(engine, HUB_IMAGES, ImagesFrom.HUB, silent)
    assert built == []


@pytest.mark.usefixtures("built")
def test_elsewhere_than_on_debian_nothing_can_be_built(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("devreg.host.packages.available", lambda: False)
    with pytest.raises(ServerError, match="Debian"):
        ensure(engine, HUB_IMAGES, ImagesFrom.PACKAGES, silent)
