"""What the tags of a repository lead to, read from a registry."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from devreg.host.content_cache import ContentCache
from devreg.model.errors import NotFound
from devreg.model.events import Counted, Event
from devreg.model.manifest import DOCKER_SCHEMA1, OCI_IMAGE, OCI_INDEX
from devreg.model.wire import digest_of
from devreg.remote import graph, members
from devreg.remote.contents import Contents
from devreg.remote.graph import holdings
from tests.http.server import Answer, Asked, Open, ScriptedServer, Serve, error_answer, json_answer

LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
UNKNOWN = {"os": "unknown", "architecture": "unknown"}


def blob(number: int, size: int, media_type: str = LAYER_TYPE) -> dict[str, Any]:
    return {"mediaType": media_type, "digest": f"sha256:{number:064x}", "size": size}


class Held:
    """A registry with manifests by digest, tags, sizes of blobs, and lists of referrers, unless it has no such list."""

    def __init__(self) -> None:
        self.manifests: dict[str, tuple[str, bytes]] = {}
        self.tags: dict[str, str] = {}
        self.blobs: dict[str, int] = {}
        self.referrers: dict[str, list[dict[str, Any]]] | None = None

    def put(self, content: object, tag: str = "", media_type: str = OCI_IMAGE) -> dict[str, Any]:
        """Its descriptor."""
        body = json.dumps(content).encode()
        digest = digest_of(body)
        self.manifests[digest] = (media_type, body)
        if tag:
            self.tags[tag] = digest
        return {"mediaType": media_type, "digest": digest, "size": len(body)}

    def image(self, tag: str, *layers: dict[str, Any], **more: object) -> dict[str, Any]:
        config = {"schemaVersion": 2, "config": blob(99, 5, CONFIG_TYPE), "layers": list(layers), **more}
        return self.put(config, tag)

    def __call__(self, asked: Asked) -> Answer:
        kind, name = asked.path.split("/")[-2:]
        if name == "list":
            return json_answer({"tags": list(self.tags)})
        if kind == "referrers" and self.referrers is not None:
            return json_answer({"manifests": self.referrers.get(name, [])}, Content_Type=OCI_INDEX)
        if kind == "blobs" and name in self.blobs:
            return Answer(200, headers={"Content-Length": str(self.blobs[name])})
        digest = self.tags.get(name, name)
        if kind == "manifests" and digest in self.manifests:
            media_type, body = self.manifests[digest]
            return Answer(200, body, {"Content-Type": media_type, "Docker-Content-Digest": digest})
        return error_answer(404, "MANIFEST_UNKNOWN")


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[ContentCache]:
    with ContentCache(tmp_path) as cache:
        yield cache


@pytest.fixture
def held() -> Held:
    return Held()


@pytest.fixture
def server(serve: Serve, held: Held) -> ScriptedServer:
    return serve(held)


@pytest.fixture
def contents(server: ScriptedServer, opened: Open, cache: ContentCache) -> Contents:
    return Contents(opened(server), cache)


def test_an_index_with_an_attestation_and_an_image_that_is_missing(contents: Contents, held: Held) -> None:
    image = held.image("1", blob(1, 1000), blob(2, 30))
    attestation = {**held.image("", blob(3, 7)), "platform": UNKNOWN}
    missing = blob(9, 400, OCI_IMAGE)
    index = held.put({"manifests": [image, missing, attestation]}, "all", OCI_INDEX)
    found = holdings(contents, "app")
    assert found.digests == {"1": image["digest"], "all": index["digest"]}
    assert found.nodes[index["digest"]].leads_to == (image["digest"], missing["digest"], attestation["digest"])
    assert missing["digest"] not in found.nodes
    assert found.bytes_of(["1"]) == image["size"] + 1035
    assert found.bytes_alone(["all"]) == index["size"] + attestation["size"] + 7
    assert found.unread == {}


def test_only_the_tags_that_are_named(contents: Contents, held: Held, server: ScriptedServer) -> None:
    image = held.image("1", blob(1, 1000))
    held.image("2", blob(2, 1000))
    assert holdings(contents, "app", ["1"]).digests == {"1": image["digest"]}
    assert not any(asked.path.endswith("/tags/list") for asked in server.asked)


def test_a_tag_that_cannot_be_read_keeps_no_other_from_it(contents: Contents, held: Held) -> None:
    image = held.image("1", blob(1, 1000))
    held.put({"layers": 1}, "broken")
    events: list[Event] = []
    found = holdings(contents, "app", ["1", "broken", "gone"], events.append)
    assert found.digests == {"1": image["digest"]}
    assert sorted(found.unread) == ["broken", "gone"]
    assert all(found.unread.values())
    counts = [(event.done, event.total) for event in events if isinstance(event, Counted)]
    assert counts == [(1, 3), (2, 3), (3, 3)]


def test_a_repository_that_is_not_there(serve: Serve, opened: Open, cache: ContentCache) -> None:
    contents = Contents(opened(serve(error_answer(404, "NAME_UNKNOWN"))), cache)
    with pytest.raises(NotFound):
        holdings(contents, "app")


def test_what_many_tags_share_is_read_once(contents: Contents, held: Held, server: ScriptedServer) -> None:
    image = held.image("", blob(1, 1000))
    for number in range(30):
        held.put({"manifests": [image], "annotations": {"number": str(number)}}, f"{number}", OCI_INDEX)
    holdings(contents, "app")
    asked = [each for each in server.asked if each.method == "GET" and each.path.endswith(image["digest"])]
    manifests = [each for each in asked if "/manifests/" in each.path]
    assert len(manifests) == 1


def test_referrers_and_theirs_stay_as_long_as_their_subject(contents: Contents, held: Held) -> None:
    image = held.image("1", blob(1, 1000))
    signature = held.image("", blob(2, 30), artifactType="x/signature")
    about = held.image("", blob(3, 4), artifactType="x/about-the-signature")
    held.referrers = {image["digest"]: [signature], signature["digest"]: [about]}
    found = holdings(contents, "app")
    assert set(found.manifests(image["digest"])) == {each["digest"] for each in (image, signature, about)}


def test_a_registry_without_the_list_is_asked_for_it_only_by_those_under_way(
    contents: Contents, held: Held, server: ScriptedServer
) -> None:
    for number in range(50):
        held.image(f"{number}", blob(number, 1))
    assert len(holdings(contents, "app").digests) == 50
    assert 1 <= sum("/referrers/" in asked.path for asked in server.asked) <= 8


def test_layers_that_lie_elsewhere_take_up_nothing(contents: Contents, held: Held) -> None:
    foreign = blob(7, 5000, "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip")
    image = held.image("1", foreign, blob(1, 10))
    assert holdings(contents, "app").bytes_of(["1"]) == image["size"] + 15


def test_the_layers_of_schema_1_are_asked_for_their_sizes_once(
    contents: Contents, held: Held, server: ScriptedServer
) -> None:
    layers = [{"blobSum": blob(number, 0)["digest"]} for number in (1, 2, 1)]
    held.blobs = {blob(1, 0)["digest"]: 70}  # the other is missing
    for tag in ("a", "b"):
        held.put({"schemaVersion": 1, "tag": tag, "fsLayers": layers}, tag, DOCKER_SCHEMA1)
    found = holdings(contents, "app")
    assert found.blobs(found.digests["a"])[blob(1, 0)["digest"]] == 70
    assert found.blobs(found.digests["a"])[blob(2, 0)["digest"]] == 0
    assert sum("/blobs/" in asked.path for asked in server.asked) == 2


def chained(held: Held, length: int) -> None:
    """A tag that leads to an index in an index, and so on."""
    inner = held.image("", blob(1, 1))
    for _ in range(length):
        inner = held.put({"manifests": [inner]}, "1", OCI_INDEX)


def wide(held: Held, length: int) -> None:
    """A tag that leads to an index of many images, none of which is there."""
    held.put({"manifests": [blob(number, 1, OCI_IMAGE) for number in range(length)]}, "1", OCI_INDEX)


@pytest.mark.parametrize("shape", [chained, wide])
def test_a_tag_that_leads_to_too_much(
    contents: Contents, held: Held, monkeypatch: pytest.MonkeyPatch, shape: Callable[[Held, int], None]
) -> None:
    monkeypatch.setattr(graph, "MAX_MANIFESTS", 20)
    shape(held, 40)
    assert "more than 20 manifests" in holdings(contents, "app").unread["1"]


@pytest.mark.parametrize("shape", [chained, wide])
def test_an_index_that_names_more_than_is_read(
    contents: Contents,
    held: Held,
    server: ScriptedServer,
    monkeypatch: pytest.MonkeyPatch,
    shape: Callable[[Held, int], None],
) -> None:
    monkeypatch.setattr(members, "MAX_READ", 20)
    shape(held, 40)
    found = members.members(contents, "app", contents.manifest("app", "1"))
    assert sum("/manifests/" in asked.path for asked in server.asked) == 1 + 20
    assert sum(each.error == "not in the registry" for each in found) == (20 if shape is wide else 0)
    assert sum(each.error is None and each.manifest is None for each in found) == (20 if shape is wide else 1)
