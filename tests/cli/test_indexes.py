"""Indexes as some tools make them, and artifacts: `devreg tags` and `devreg inspect` say the same of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from devreg.model.manifest import OCI_IMAGE, OCI_INDEX
from tests.cli.conftest import Run, Serve
from tests.cli.test_inspect import LAYER_TYPE
from tests.cli.test_tree import Repository

BOTH = ["linux/amd64", "linux/arm64"]


@pytest.fixture
def shelf(serve: Serve) -> Repository:
    shelf = Repository()
    serve(shelf)
    return shelf


def index(shelf: Repository, tag: str, *entries: dict[str, Any], **more: object) -> dict[str, Any]:
    content = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries, **more}
    return shelf.put(OCI_INDEX, content, tag)


def size(shelf: Repository, described: dict[str, Any]) -> int:
    manifest = json.loads(shelf.manifests[described["digest"]][1])
    return int(sum(each["size"] for each in (*manifest["layers"], manifest["config"])))


def of(run: Run, tag: str) -> dict[str, Any]:
    """What `tags` says of it, which `inspect` says, too."""
    (row,) = run("tags", "app", "--filter", tag, "--json").data["tags"]
    found = run("inspect", f"app:{tag}", "--json").data
    assert found["size"] == row["size"]
    platforms = [each["platform"] for each in found["platforms"]]
    assert [each for each in platforms if each] == row["platforms"]
    return dict(row)


def test_platforms_that_share_a_layer(run: Run, shelf: Repository) -> None:
    images = shelf.built("ab"), shelf.built("ac", "arm64")
    index(shelf, "1", *images)
    row = of(run, "1")
    assert (row["size"], row["platforms"]) == (sum(size(shelf, each) for each in images), BOTH)


def test_what_an_index_names_twice_counts_once(run: Run, shelf: Repository) -> None:
    one, other = shelf.built("ab"), shelf.built("c", "arm64")
    attestation = {**shelf.image({"of": "it"}), "platform": {"os": "unknown", "architecture": "unknown"}}
    index(shelf, "1", one, one, other, attestation, attestation)
    row = of(run, "1")
    assert (row["size"], row["platforms"]) == (size(shelf, one) + size(shelf, other), BOTH)
    found = run("inspect", "app:1", "--json").data
    assert (len(found["platforms"]), len(found["attestations"])) == (2, 1)


def test_an_image_for_two_platforms_counts_once(run: Run, shelf: Repository) -> None:
    one = shelf.built("ab")
    index(shelf, "1", one, {**one, "platform": {"os": "linux", "architecture": "arm64"}})
    row = of(run, "1")
    assert (row["size"], row["platforms"]) == (size(shelf, one), BOTH)


def test_an_index_in_an_index(run: Run, shelf: Repository) -> None:
    one, other = shelf.built("ab"), shelf.built("c", "arm64")
    inner = index(shelf, "inner", one, other)
    index(shelf, "1", inner)
    index(shelf, "2", one, inner)
    for tag in ("1", "2"):
        row = of(run, tag)
        assert (row["size"], row["platforms"]) == (size(shelf, one) + size(shelf, other), BOTH)


def test_an_artifact_tells_what_it_is_and_when_it_was_made(run: Run, shelf: Repository) -> None:
    empty = {"mediaType": "application/vnd.oci.empty.v1+json", "size": 2, "digest": f"sha256:{0:064x}"}
    content = {"schemaVersion": 2, "mediaType": OCI_IMAGE, "config": empty, "layers": [empty]}
    made = {"annotations": {"org.opencontainers.image.created": "2024-05-06T09:08:09+02:00"}}
    shelf.put(OCI_IMAGE, {**content, "artifactType": "application/vnd.example", **made}, "1")
    shelf.put(OCI_IMAGE, {**content, "config": {**empty, "mediaType": "application/vnd.chart"}}, "2")
    shelf.put(OCI_IMAGE, {**content, "artifactType": "a", "annotations": {"org.opencontainers.image.created": 1}}, "3")
    rows = {row["name"]: row for row in run("tags", "app", "--json").data["tags"]}
    assert [rows[name]["created"] for name in "123"] == ["2024-05-06T07:08:09Z", None, None]
    assert {row["kind"] for row in rows.values()} == {"artifact"}
    types = [run("inspect", f"app:{name}", "--json").data["artifact_type"] for name in "12"]
    assert types == ["application/vnd.example", "application/vnd.chart"]
    assert "artifact, application/vnd.example," in run("inspect", "app:1").out


def test_the_cache_of_a_build_is_an_index_of_blobs(run: Run, shelf: Repository) -> None:
    layer = {"mediaType": LAYER_TYPE, "size": 1000, "digest": f"sha256:{ord('a'):064x}"}
    settings = {"mediaType": "application/vnd.buildkit.cacheconfig.v0", "size": 10, "digest": f"sha256:{1:064x}"}
    cache = index(shelf, "cache", layer, settings)
    shelf.tag("1", shelf.built("ab"))
    row = of(run, "cache")
    assert (row["kind"], row["size"], row["platforms"]) == ("artifact", 1010, [])
    blobs = run("inspect", "app:cache", "--json").data["blobs"]
    assert [each["digest"] for each in blobs] == [layer["digest"], settings["digest"]]
    costs = {each["name"]: each for each in run("tree", "app", "--json").data["costs"]}
    assert costs["cache"]["size"] == cache["size"] + 1010
    assert costs["cache"]["alone"] == cache["size"] + 10


def test_a_lost_config_is_not_a_lost_tag(run: Run, shelf: Repository) -> None:
    shelf.tag("1", shelf.built("a"))
    shelf.blobs.clear()
    outcome = run("tags", "app", "--json")
    assert outcome.code == 1
    assert "config" in outcome.data["tags"][0]["error"]
