"""`devreg inspect` and `devreg tree` on a real registry 2.8, compared with what skopeo says of the same."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.live.lab.devreg import Devreg
from tests.live.lab.plain_registry import plain_registry
from tests.live.lab.run import need, run
from tests.live.lab.wire import CONFIG, LAYER, OCI_INDEX, OCI_MANIFEST, Wire, digest_of

REPOSITORY = "team/seen"
CREATED = "2024-05-06T07:08:09Z"
STEPS = ("/bin/sh -c #(nop) ADD file:1 in / ", "RUN /bin/sh -c make # buildkit")
OCI_CONFIG = "application/vnd.oci.image.config.v1+json"
OCI_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


def noise(seed: str, size: int) -> bytes:
    return Random(seed).randbytes(size)  # noqa: S311  # the same bytes every time: no secret


def image(registry: Wire, top: str, arch: str) -> bytes:
    """An image of a layer that all of its platform have, and one of its own; its manifest."""
    config = {
        "created": CREATED,
        "os": "linux",
        "architecture": arch,
        "config": {"Env": ["PATH=/bin"], "Entrypoint": ["/app"], "Labels": {"top": top}},
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{1:064x}", f"sha256:{2:064x}"]},
        "history": [{"created_by": step} for step in STEPS] + [{"created_by": "USER app", "empty_layer": True}],
    }
    layers = [noise(f"base {arch}", 30_000), noise(f"{top} {arch}", 10_000)]
    manifest = {
        "schemaVersion": 2,
        "mediaType": OCI_MANIFEST,
        "config": {"mediaType": OCI_CONFIG, **registry.put_blob(REPOSITORY, json.dumps(config).encode())},
        "layers": [{"mediaType": OCI_LAYER, **registry.put_blob(REPOSITORY, layer)} for layer in layers],
    }
    return json.dumps(manifest).encode()


def index(registry: Wire, tag: str) -> list[dict[str, Any]]:
    """What BuildKit pushes for two platforms, with an attestation for each; the entries of the index."""
    entries: list[dict[str, Any]] = []
    for arch in ("amd64", "arm64"):
        body = image(registry, tag, arch)
        digest = registry.put_manifest(REPOSITORY, digest_of(body), body, OCI_MANIFEST)
        platform = {"os": "linux", "architecture": arch}
        entries.append({"mediaType": OCI_MANIFEST, "digest": digest, "size": len(body), "platform": platform})
    for entry in list(entries):
        statement = {"mediaType": "application/vnd.in-toto+json", **registry.put_blob(REPOSITORY, b"{}")}
        config = {"of": entry["digest"], "os": "unknown", "architecture": "unknown"}
        described = {"mediaType": OCI_CONFIG, **registry.put_blob(REPOSITORY, json.dumps(config).encode())}
        content = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": described, "layers": [statement]}
        body = json.dumps(content).encode()
        digest = registry.put_manifest(REPOSITORY, digest_of(body), body, OCI_MANIFEST)
        about = {
            "vnd.docker.reference.type": "attestation-manifest",
            "vnd.docker.reference.digest": entry["digest"],
        }
        platform = {"os": "unknown", "architecture": "unknown"}
        its = {"mediaType": OCI_MANIFEST, "digest": digest, "size": len(body)}
        entries.append({**its, "platform": platform, "annotations": about})
    content = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}
    registry.put_manifest(REPOSITORY, tag, json.dumps(content, indent=1).encode(), OCI_INDEX)
    return entries


@pytest.fixture
def registry(tmp_path: Path, cache: Path) -> Iterator[Wire]:
    with plain_registry(tmp_path, cache) as running:
        yield Wire(running.address)


@pytest.fixture
def user(devreg: Devreg, registry: Wire) -> Devreg:
    return replace(devreg, registry=registry.address)


def skopeo(*words: str) -> str:
    program = need("skopeo", "skopeo")
    return run(program, *words[:1], "--tls-verify=false", *words[1:]).stdout


def test_an_index_as_other_clients_see_it(user: Devreg, registry: Wire) -> None:
    amd64, arm64, *attestations = index(registry, "1.0")
    name = f"docker://{registry.address}/{REPOSITORY}"
    found = user.ok("inspect", f"{REPOSITORY}:1.0", "--json").data
    assert [each["digest"] for each in found["platforms"]] == [amd64["digest"], arm64["digest"]]
    about = [(each["digest"], each["platform"], each["subject"]) for each in found["attestations"]]
    assert about == [
        (its["digest"], platform, of["digest"])
        for its, platform, of in zip(attestations, ("linux/amd64", "linux/arm64"), (amd64, arm64), strict=True)
    ]
    for arch, entry in (("amd64", amd64), ("arm64", arm64)):
        theirs = json.loads(skopeo("inspect", f"{name}@{entry['digest']}"))
        ours = user.ok("inspect", f"{REPOSITORY}:1.0", "--platform", f"linux/{arch}", "--json").data["image"]
        assert ours["digest"] == theirs["Digest"] == entry["digest"]
        assert [layer["digest"] for layer in ours["layers"]] == theirs["Layers"]
        assert [layer["instruction"] for layer in ours["layers"]] == ["ADD file:1 in /", "RUN make"]
        assert (ours["env"], ours["labels"]) == (theirs["Env"], theirs["Labels"])
        assert (ours["created"], ours["platform"]) == (theirs["Created"], f"linux/{theirs['Architecture']}")
        raw = user.ok("inspect", f"{REPOSITORY}:1.0", "--platform", f"linux/{arch}", "--raw").stdout
        assert raw == skopeo("inspect", "--raw", f"{name}@{entry['digest']}")
    assert user.ok("inspect", f"{REPOSITORY}:1.0", "--raw").stdout == skopeo("inspect", "--raw", f"{name}:1.0")


def test_what_a_tag_costs_alone_is_what_no_other_needs(user: Devreg, registry: Wire) -> None:
    for tag in ("1.0", "1.1"):
        index(registry, tag)
    single = image(registry, "1.0", "amd64")
    registry.put_manifest(REPOSITORY, "single", single, OCI_MANIFEST)
    found = user.ok("tree", REPOSITORY, "--json").data
    costs = {each["name"]: each for each in found["costs"]}
    assert costs["single"]["alone"] == 0
    assert 20_000 < costs["1.1"]["alone"] < 30_000
    assert 10_000 < costs["1.0"]["alone"] < 20_000
    trees = {each["platform"]: each["branches"] for each in found["platforms"]}
    assert {platform: len(branches) for platform, branches in trees.items()} == {"linux/amd64": 1, "linux/arm64": 1}
    (base,) = trees["linux/amd64"]
    assert base["size"] == 30_000
    assert sorted(sorted(each["tags"]) for each in base["branches"]) == [["1.0", "single"], ["1.1"]]
    lines = [line.split() for line in user.ok("tree", REPOSITORY).stdout.splitlines()]
    assert [line[0] for line in lines] == ["1.0", "1.1", "single"]
    assert [int(line[2]) for line in lines] == [costs[line[0]]["alone"] for line in lines]


def test_schema_2_of_docker_and_an_artifact(user: Devreg, registry: Wire) -> None:
    body = registry.image(REPOSITORY, CREATED, [b"layer"])
    digest = registry.put_manifest(REPOSITORY, "docker", body)
    found = user.ok("inspect", f"{REPOSITORY}@{digest}", "--json").data
    assert (found["kind"], found["image"]["created"]) == ("image", CREATED)
    assert found["image"]["layers"][0]["media_type"] == LAYER
    config = {"mediaType": "application/vnd.cncf.helm.config.v1+json", **registry.put_blob(REPOSITORY, b"{}")}
    layer = {"mediaType": "application/vnd.cncf.helm.chart.content.v1.tar+gzip", **registry.put_blob(REPOSITORY, b"x")}
    chart = {"schemaVersion": 2, "mediaType": OCI_MANIFEST, "config": config, "layers": [layer]}
    registry.put_manifest(REPOSITORY, "chart", json.dumps(chart).encode(), OCI_MANIFEST)
    found = user.ok("inspect", f"{REPOSITORY}:chart", "--json").data
    assert (found["kind"], found["image"], found["size"]) == ("artifact", None, 3)
    assert [each["media_type"] for each in found["blobs"]] == [config["mediaType"], layer["mediaType"]]
    missing = user.fails(22, "inspect", f"{REPOSITORY}:docker", "--platform", "windows/amd64").stderr
    assert "linux/amd64" in missing


def test_a_config_that_is_no_json(user: Devreg, registry: Wire) -> None:
    config = {"mediaType": CONFIG, **registry.put_blob(REPOSITORY, b"\xff no JSON")}
    layer = {"mediaType": LAYER, **registry.put_blob(REPOSITORY, b"x")}
    manifest = {"schemaVersion": 2, "mediaType": "application/vnd.docker.distribution.manifest.v2+json"}
    body = json.dumps({**manifest, "config": config, "layers": [layer]}).encode()
    registry.put_manifest(REPOSITORY, "odd", body)
    done = user.fails(1, "inspect", f"{REPOSITORY}:odd", "--json").document
    assert done["data"]["image"]["layers"][0]["size"] == 1
    assert done["ok"] is False
