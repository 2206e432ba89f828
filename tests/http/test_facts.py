"""What a table says of a tag, and what it asks the registry for where the cache knows a lot."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from devreg.host.content_cache import ContentCache
from devreg.model.body import Body
from devreg.model.errors import RegistryUnreachable
from devreg.model.manifest import OCI_IMAGE, OCI_INDEX
from devreg.remote.contents import Contents
from devreg.remote.facts import Reader
from tests.http.server import Answer, Asked, Open, ScriptedServer, Serve
from tests.http.test_content import CONFIG, CONFIG_DESCRIPTOR, MANIFEST, NAMED, digest_of

DIGEST = digest_of(MANIFEST)
IMAGE = Body(MANIFEST, OCI_IMAGE, DIGEST)
SETTINGS = Body(CONFIG, CONFIG_DESCRIPTOR.media_type, CONFIG_DESCRIPTOR.digest)


def script(asked: Asked) -> Answer:
    return Answer(200, CONFIG) if "/blobs/" in asked.path else Answer(200, MANIFEST, NAMED)


def asked_for(server: ScriptedServer) -> list[str]:
    return [f"{asked.method} {asked.path.split('/')[-2]}" for asked in server.asked[1:]]


def reader(server: ScriptedServer, opened: Open, folder: Path, *kept: Body) -> Reader:
    cache = ContentCache(folder)
    for each in kept:
        cache.put(each)
    return Reader(Contents(opened(server), cache))


@pytest.mark.parametrize(
    ("kept", "wanted"),
    [
        ((IMAGE, SETTINGS), ["HEAD manifests"]),
        ((IMAGE,), ["HEAD manifests", "GET blobs"]),
        ((SETTINGS,), ["GET manifests"]),
        ((), ["GET manifests", "GET blobs"]),
    ],
    ids=["both", "the manifest", "the config", "nothing"],
)
def test_an_image_is_asked_for_as_far_as_it_is_not_known(
    serve: Serve, opened: Open, tmp_path: Path, kept: tuple[Body, ...], wanted: list[str]
) -> None:
    server = serve(script)
    facts = reader(server, opened, tmp_path, *kept)
    facts.recall("app", [DIGEST])
    found = facts.facts("app", "1", DIGEST)
    assert (found.digest, found.platforms, found.size) == (DIGEST, ("linux/amd64",), 1000 + len(CONFIG))
    assert asked_for(server) == wanted


def test_a_tag_that_moved_is_not_what_was_recalled(serve: Serve, opened: Open, tmp_path: Path) -> None:
    content = MANIFEST.replace(b"1000", b"2000")
    named = {**NAMED, "Docker-Content-Digest": digest_of(content)}
    facts = reader(serve(Answer(200, content, named)), opened, tmp_path, IMAGE, SETTINGS)
    facts.recall("app", [DIGEST])
    assert facts.facts("app", "1", DIGEST).size == 2000 + len(CONFIG)


def test_the_images_of_an_index_are_asked_for_although_all_is_known(serve: Serve, opened: Open, tmp_path: Path) -> None:
    entry = {"mediaType": OCI_IMAGE, "digest": DIGEST, "size": len(MANIFEST)}
    index = json.dumps({"schemaVersion": 2, "manifests": [entry]}).encode()
    server = serve(
        lambda asked: (
            Answer(404)
            if asked.path.endswith(DIGEST)
            else Answer(200, index, {"Content-Type": OCI_INDEX, "Docker-Content-Digest": digest_of(index)})
        )
    )
    facts = reader(server, opened, tmp_path, Body(index, OCI_INDEX, digest_of(index)), IMAGE, SETTINGS)
    facts.recall("app", [digest_of(index)])
    assert facts.facts("app", "1", digest_of(index)).size == 0
    assert asked_for(server) == ["HEAD manifests", "HEAD manifests"]


@pytest.mark.parametrize("content", [b"no JSON", b"{}", b'{"config": {}, "layers": []}'])
def test_what_makes_no_sense_keeps_nothing_else_from_being_recalled(
    serve: Serve, opened: Open, tmp_path: Path, content: bytes
) -> None:
    strange = Body(content, OCI_IMAGE, digest_of(content))
    named = {**NAMED, "Docker-Content-Digest": strange.digest}
    server = serve(lambda asked: Answer(200, content, named) if asked.path.endswith("/2") else script(asked))
    facts = reader(server, opened, tmp_path, strange, IMAGE, SETTINGS)
    facts.recall("app", [strange.digest, DIGEST])
    assert facts.facts("app", "1", DIGEST).digest == DIGEST
    with pytest.raises(RegistryUnreachable):
        facts.facts("app", "2", strange.digest)
    assert asked_for(server) == ["HEAD manifests", "HEAD manifests"]
