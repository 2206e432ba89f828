"""`devreg rm` and `devreg prune` on a real registry 2.8, whose garbage collector then tells the truth."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta, timezone
from pathlib import Path
from random import Random

import pytest

from tests.live.lab.contents import contents
from tests.live.lab.devreg import Devreg
from tests.live.lab.plain_registry import Server, plain_registry
from tests.live.lab.run import run
from tests.live.lab.wire import CONFIG, INDEX, MANIFEST, Wire, digest_of

REPOSITORY = "team/app"
NOW = datetime.now(timezone.utc)
SIGNATURE = "application/vnd.dev.cosign.simplesigning.v1+json"


def noise(seed: str, size: int) -> bytes:
    return Random(seed).randbytes(size)  # noqa: S311  # the same bytes every time: no secret


def image(registry: Wire, name: str, days: int, arch: str = "amd64") -> bytes:
    """An image that was made so many days ago, of a layer that all have and one of its own."""
    layers = [noise("base", 30_000), noise(f"layer of {name}", 10_000)]
    return registry.image(REPOSITORY, f"{NOW - timedelta(days=days):%Y-%m-%dT%H:%M:%SZ}", layers, arch)


def sign(registry: Wire, digest: str) -> str:
    """A signature as cosign leaves it in registries that have no list of referrers; its tag."""
    layer = {"mediaType": SIGNATURE, **registry.put_blob(REPOSITORY, f"signature of {digest}".encode())}
    config = {"mediaType": CONFIG, **registry.put_blob(REPOSITORY, json.dumps({"of": digest}).encode())}
    manifest = {"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}
    tag = f"{digest.replace(':', '-')}.sig"
    registry.put_manifest(REPOSITORY, tag, json.dumps(manifest).encode())
    return tag


def index(registry: Wire, tag: str, children: dict[str, bytes]) -> str:
    """An index of images, by architecture. The images have no tags."""
    entries = []
    for arch, body in children.items():
        registry.put_manifest(REPOSITORY, digest_of(body), body)
        platform = {"os": "linux", "architecture": arch}
        entries.append({"mediaType": MANIFEST, "digest": digest_of(body), "size": len(body), "platform": platform})
    body = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode()
    return registry.put_manifest(REPOSITORY, tag, body, INDEX)


def fill(registry: Wire) -> None:
    """1.0 to 1.4, the newest of them latest, and 1.0 stable; two indexes that share an image; signatures."""
    for number in range(5):
        body = image(registry, f"1.{number}", 100 - 10 * number)
        sign(registry, registry.put_manifest(REPOSITORY, f"1.{number}", body))
        for other in {0: ["stable"], 4: ["latest"]}.get(number, []):
            registry.put_manifest(REPOSITORY, other, body)
    arm = image(registry, "arm", 95, "arm64")
    index(registry, "multi-old", {"amd64": image(registry, "old amd", 95), "arm64": arm})
    index(registry, "multi", {"amd64": image(registry, "new amd", 5), "arm64": arm})


@pytest.fixture
def server(tmp_path: Path, cache: Path) -> Iterator[Server]:
    """A registry that deletes, filled."""
    with plain_registry(tmp_path, cache, deletes=True) as running:
        fill(Wire(running.address))
        yield running


@pytest.fixture
def registry(server: Server) -> Wire:
    return Wire(server.address)


@pytest.fixture
def devreg(server: Server, tmp_path: Path) -> Devreg:
    """A user without an engine."""
    (tmp_path / "user").mkdir()
    return Devreg(tmp_path / "user", "unix:///nowhere", registry=server.address)


def collect(server: Server) -> None:
    """Let the registry's own garbage collector run, as its documentation has it: while nothing else does."""
    server.end()
    program, _, config = server.command
    run(program, "garbage-collect", config)
    server.start()


def stored(server: Server) -> int:
    """The bytes of all blobs on the disk."""
    blobs = server.log.parent / "data/docker/registry/v2/blobs"
    return sum(file.stat().st_size for file in blobs.rglob("data"))


def has(registry: Wire, digest: str) -> bool:
    return registry.manifest(REPOSITORY, digest).status == 200


def test_a_tag_goes_alone(server: Server, registry: Wire, devreg: Devreg) -> None:
    before = contents(registry, REPOSITORY)
    done = devreg.ok("rm", f"{REPOSITORY}:stable", f"{REPOSITORY}:1.3", "--yes")
    name = f"{server.address}/{REPOSITORY}"
    assert done.stdout.split() == [f"{name}:stable", "tag", f"{name}:1.3", "tag"]
    after = contents(registry, REPOSITORY)
    assert after.tags == {tag: digest for tag, digest in before.tags.items() if tag not in ("stable", "1.3")}
    assert has(registry, before.tags["1.3"])
    collect(server)
    assert contents(registry, REPOSITORY) == after
    assert has(registry, before.tags["1.3"]), "a tag went, not what it stood for"


def test_a_manifest_goes_with_its_tags_and_what_only_it_leads_to(
    server: Server, registry: Wire, devreg: Devreg
) -> None:
    before, size = contents(registry, REPOSITORY), stored(server)
    done = devreg.ok("rm", "--digest", f"{REPOSITORY}:1.0", f"{REPOSITORY}:multi-old", "--yes", "--json")
    (plan,), (outcome,) = done.data["repositories"], done.data["done"]
    signature = f"{before.tags['1.0'].replace(':', '-')}.sig"
    assert {tag["name"] for tag in plan["tags"] if tag["goes"]} == {"1.0", "stable", "multi-old", signature}
    assert "1.0, stable" in done.stderr
    after = contents(registry, REPOSITORY)
    assert after.tags == {tag: digest for tag, digest in before.tags.items() if tag not in outcome["tags"]}
    collect(server)
    assert contents(registry, REPOSITORY) == after
    assert size - stored(server) == outcome["frees"] == plan["frees"] > 20_000
    assert not has(registry, before.tags["1.0"])


def test_an_index_keeps_its_images(registry: Wire, devreg: Devreg) -> None:
    before = contents(registry, REPOSITORY)
    (arm,) = (
        each["digest"]
        for each in registry.manifest(REPOSITORY, "multi").document["manifests"]
        if each["platform"]["architecture"] == "arm64"
    )
    refused = devreg.fails(24, "rm", f"{REPOSITORY}@{arm}", "--yes")
    assert "needed by the index" in refused.stderr
    assert contents(registry, REPOSITORY) == before
    assert has(registry, arm)
    devreg.ok("rm", "--digest", f"{REPOSITORY}@{arm}", f"{REPOSITORY}:multi", f"{REPOSITORY}:multi-old", "--yes")
    assert not has(registry, arm)


def test_a_plan_changes_nothing(registry: Wire, devreg: Devreg) -> None:
    before = contents(registry, REPOSITORY)
    done = devreg.ok("prune", REPOSITORY, "--keep", "2")
    assert "--apply" in done.stderr
    devreg.ok("rm", "--digest", f"{REPOSITORY}:1.0", "--dry-run")
    devreg.fails(2, "prune", REPOSITORY, "--keep", "2", "--apply")
    devreg.fails(2, "rm", f"{REPOSITORY}:1.0")
    assert contents(registry, REPOSITORY) == before


@pytest.mark.parametrize(
    ("rules", "stay"),
    [
        (["--keep", "2"], {"multi", "1.4", "latest"}),
        (["--older-than", "82d"], {"multi", "1.4", "latest", "1.3", "1.2"}),
        (["--keep", "1", "--keep-tags", "1.[01]"], {"multi", "1.0", "1.1"}),
        (["--keep", "1", "--older-than", "75d", "--keep-tags", "stable"], {"multi", "1.4", "latest", "1.3", "stable"}),
        (["--untagged"], {"multi", "multi-old", "stable", "latest", *(f"1.{number}" for number in range(5))}),
    ],
)
def test_what_is_kept_is_whole_after_garbage_collection(
    server: Server, registry: Wire, devreg: Devreg, rules: list[str], stay: set[str]
) -> None:
    before, size = contents(registry, REPOSITORY), stored(server)
    (plan,) = devreg.ok("prune", REPOSITORY, *rules, "--json").data["repositories"]
    done = devreg.ok("prune", REPOSITORY, *rules, "--apply", "--yes", "--json").data
    after = contents(registry, REPOSITORY)
    signatures = {f"{before.tags[tag].replace(':', '-')}.sig" for tag in stay}
    assert set(after.tags) == (stay | signatures) & set(before.tags)
    assert after.tags.items() <= before.tags.items()
    collect(server)
    assert contents(registry, REPOSITORY) == after
    assert size - stored(server) == plan["frees"] == sum(each["frees"] for each in done["done"])


def test_signatures_of_images_that_are_gone(registry: Wire, devreg: Devreg) -> None:
    before = contents(registry, REPOSITORY)
    assert registry("DELETE", f"/v2/{REPOSITORY}/manifests/{before.tags['1.1']}").status == 202
    devreg.ok("prune", REPOSITORY, "--untagged", "--apply", "--yes")
    signature = f"{before.tags['1.1'].replace(':', '-')}.sig"
    assert set(before.tags) - set(contents(registry, REPOSITORY).tags) == {"1.1", signature}


def test_manifests_whose_tag_was_seen(registry: Wire, devreg: Devreg) -> None:
    before = contents(registry, REPOSITORY)
    devreg.ok("tags", REPOSITORY)
    devreg.ok("rm", f"{REPOSITORY}:1.2", "--yes")
    assert has(registry, before.tags["1.2"])
    (plan,) = devreg.ok("prune", REPOSITORY, "--untagged", "--json").data["repositories"]
    assert plan["loose"] == [before.tags["1.2"]]
    devreg.ok("prune", REPOSITORY, "--untagged", "--apply", "--yes")
    assert not has(registry, before.tags["1.2"])


def test_a_registry_that_deletes_nothing(tmp_path: Path, cache: Path) -> None:
    folder = tmp_path / "fixed"
    folder.mkdir()
    with plain_registry(folder, cache) as server:
        registry = Wire(server.address)
        fill(registry)
        before = contents(registry, REPOSITORY)
        devreg = Devreg(tmp_path, "unix:///nowhere", registry=server.address)
        for words in (
            ["rm", f"{REPOSITORY}:1.0"],
            ["rm", "--digest", f"{REPOSITORY}:1.0"],
            ["prune", REPOSITORY, "--keep", "1", "--apply"],
        ):
            refused = devreg.fails(21, *words, "--yes")
            assert "REGISTRY_STORAGE_DELETE_ENABLED" in refused.stderr
            assert "nothing was changed" in refused.stderr
        assert contents(registry, REPOSITORY) == before
        devreg.ok("prune", REPOSITORY, "--keep", "1")
