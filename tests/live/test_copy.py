"""`devreg copy` and `devreg retag` between real registries: what arrives is what was there, byte for byte."""

from __future__ import annotations

import hashlib
import json
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import platformdirs
import pytest

from devreg.model.manifest import OCI_IMAGE, OCI_INDEX
from tests.cli.test_inspect import Shelf
from tests.http.server import ScriptedServer
from tests.live.lab.contents import contents
from tests.live.lab.devreg import Devreg
from tests.live.lab.gate import Gate
from tests.live.lab.layouts import multi_platform
from tests.live.lab.plain_registry import Server, plain_registry
from tests.live.lab.run import need, run
from tests.live.lab.wire import Wire, digest_of

LAYERS, MEGABYTES_EACH = 3, 24
SECONDS = 60  # after which something hangs


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[tuple[Server, Server]]:
    cache = platformdirs.user_cache_path("devreg-tests", appauthor=False)
    with ExitStack() as stack:
        folders = [tmp_path / name for name in ("one", "two")]
        for folder in folders:
            folder.mkdir()
        one, two = (stack.enter_context(plain_registry(folder, cache)) for folder in folders)
        yield one, two


@pytest.fixture
def user(servers: tuple[Server, Server], tmp_path: Path) -> Devreg:
    return Devreg(tmp_path / "user", f"unix://{tmp_path}/no-engine", registry=servers[0].address)


@pytest.fixture
def index(user: Devreg, tmp_path: Path) -> str:
    """The digest of what `team/app:1` stands for in the first registry: two platforms and an attestation."""
    _, digest = multi_platform(tmp_path / "layout", "app:1")
    user.ok("push", str(tmp_path / "layout"), "--as", "team/app:1")
    return digest


def seen_by_skopeo(server: Server, name: str) -> bytes:
    words = ("inspect", "--raw", "--tls-verify=false", f"docker://{server.address}/{name}")
    return run(need("skopeo", "skopeo"), *words).stdout.encode()


def test_to_another_registry(user: Devreg, servers: tuple[Server, Server], index: str) -> None:
    one, two = servers
    done = user.ok("copy", "team/app:1", f"{two.address}/mirror/app", "--json").data["copied"][0]
    assert (done["digest"], done["changed"], done["layers"]["mounted"]) == (index, True, 0)
    assert done["bytes_sent"] > 2**20
    assert seen_by_skopeo(two, "mirror/app:1") == seen_by_skopeo(one, "team/app:1")
    assert contents(Wire(two.address), "mirror/app").blobs == contents(Wire(one.address), "team/app").blobs
    again = user.ok("copy", "team/app:1", f"{two.address}/mirror/app", "--json").data["copied"][0]
    assert (again["changed"], again["bytes_sent"]) == (False, 0)


def test_within_a_registry_nothing_is_sent(user: Devreg, servers: tuple[Server, Server], index: str) -> None:
    done = user.ok("copy", "team/app:1", "other/app:2", "--json").data["copied"][0]
    assert (done["digest"], done["bytes_sent"]) == (index, 0)
    assert done["layers"]["mounted"] > 0
    wire = Wire(servers[0].address)
    assert contents(wire, "other/app").blobs == contents(wire, "team/app").blobs


def test_a_digest_a_platform_and_a_glob(user: Devreg, servers: tuple[Server, Server], index: str) -> None:
    two = servers[1]
    assert user.ok("copy", f"team/app@{index}", f"{two.address}/a").stdout == f"{two.address}/a@{index}\n"
    assert Wire(two.address)("GET", "/v2/a/tags/list").status == 404
    one_image = user.ok("copy", "team/app:1", f"{two.address}/b", "--platform", "linux/arm64").stdout
    entries = json.loads(seen_by_skopeo(servers[0], "team/app:1"))["manifests"]
    assert one_image.strip().endswith(entries[1]["digest"])
    user.fails(22, "copy", f"{two.address}/b:1", f"{two.address}/c", "--platform", "linux/s390x")
    user.ok("retag", "team/app:1", "1.1", "2")
    user.ok("copy", "team/app:1*", f"{two.address}/d")
    assert set(contents(Wire(two.address), "d").tags) == {"1", "1.1"}
    user.fails(22, "copy", "team/app:9*", f"{two.address}/d")
    user.fails(2, "copy", "team/app:1*", f"{two.address}/d:1")


def test_retag(user: Devreg, servers: tuple[Server, Server], index: str) -> None:
    address = servers[0].address
    assert user.ok("retag", "team/app:1", "stable", "x").stdout == f"{address}/team/app@{index}\n" * 2
    assert contents(Wire(address), "team/app").tags == dict.fromkeys(("1", "stable", "x"), index)
    assert user.ok("retag", "team/app:1", "x", "--json").document["changed"] is False
    user.ok("copy", "team/app:1", "team/app:other", "--platform", "linux/amd64")
    user.fails(24, "retag", "team/app:other", "stable", "--no-clobber")
    user.fails(24, "copy", "team/app:other", "team/app:stable", "--no-clobber")
    user.fails(2, "retag", "team/app:1", "not a tag")
    user.fails(22, "retag", "team/app:none", "y")
    assert contents(Wire(address), "team/app").tags["stable"] == index


def test_signatures_that_are_found_by_their_tags(user: Devreg, servers: tuple[Server, Server], index: str) -> None:
    """As cosign and clients of registries without a list of referrers keep them."""
    one, two = (Wire(server.address) for server in servers)
    signature = one.image("team/app", "2024-01-02T03:04:05Z", [b"signature"])
    tag = f"{index.replace(':', '-')}.sig"
    one.put_manifest("team/app", tag, signature)
    done = user.ok("copy", "team/app:1", f"{servers[1].address}/app", "--json").data["copied"][0]
    assert done["referrers"] == 1
    assert contents(two, "app").tags == {"1": index, tag: digest_of(signature)}
    user.ok("copy", "team/app:1", f"{servers[1].address}/bare", "--no-referrers")
    assert set(contents(two, "bare").tags) == {"1"}


def test_referrers_go_where_a_registry_has_no_list_of_them(user: Devreg, servers: tuple[Server, Server]) -> None:
    """They come from a registry that lists them; the other is told by a tag."""
    two = servers[1]
    shelf = Shelf()
    image = shelf.image({"os": "linux", "architecture": "amd64"})
    shelf.tag("1", image)
    for number in (1, 2):
        shelf.blobs[f"sha256:{number:064x}"] = b""
    layers = [{"mediaType": "text/plain", "size": 5, "digest": digest_of(b"layer")}]
    shelf.blobs[digest_of(b"layer")] = b"layer"
    config = {"mediaType": "application/vnd.oci.empty.v1+json", "size": 2, "digest": digest_of(b"{}")}
    shelf.blobs[digest_of(b"{}")] = b"{}"
    image = shelf.put(OCI_IMAGE, {"schemaVersion": 2, "mediaType": OCI_IMAGE, "config": config, "layers": layers}, "1")
    referrer = {
        "schemaVersion": 2,
        "mediaType": OCI_IMAGE,
        "artifactType": "application/x.sbom",
        "config": config,
        "layers": layers,
        "subject": image,
        "annotations": {"a": "b"},
    }
    described = shelf.put(OCI_IMAGE, referrer)
    shelf.referrers = {image["digest"]: json.dumps({"manifests": [described]}).encode()}
    with ScriptedServer(shelf) as source:
        for _ in range(2):
            done = user.ok("copy", f"{source.host}/app:1", f"{two.address}/app", "--json").data["copied"][0]
            assert done["referrers"] == 1
    tag = image["digest"].replace(":", "-")
    listed = json.loads(Wire(two.address).manifest("app", tag).body)
    assert listed["mediaType"] == OCI_INDEX
    entry = {**described, "artifactType": "application/x.sbom", "annotations": {"a": "b"}}
    assert listed["manifests"] == [entry]
    assert user.ok("tags", f"{two.address}/app", "--filter", "1", "--json").data["tags"][0]["referrers"] == 1


def test_an_index_whose_images_were_left_behind(user: Devreg, servers: tuple[Server, Server]) -> None:
    two = servers[1]
    shelf = Shelf()
    missing = {"mediaType": OCI_IMAGE, "size": 7, "digest": f"sha256:{7:064x}"}
    shelf.put(OCI_INDEX, {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [missing]}, "1")
    with ScriptedServer(shelf) as source:
        failed = user.fails(22, "copy", f"{source.host}/app:1", f"{two.address}/app")
    assert str(missing["digest"]) in failed.stderr
    assert Wire(two.address)("GET", "/v2/app/tags/list").status == 404


def test_a_source_that_lies_leaves_no_name(user: Devreg, servers: tuple[Server, Server]) -> None:
    two = servers[1]
    shelf = Shelf()
    shelf.tag("1", shelf.image({"os": "linux", "architecture": "amd64"}))
    for number in (1, 2):
        shelf.blobs[f"sha256:{number:064x}"] = b"x" * 1000 * number
    with ScriptedServer(shelf) as source:
        assert user("copy", f"{source.host}/app:1", f"{two.address}/app").code in (20, 23)
    assert Wire(two.address)("GET", "/v2/app/tags/list").status == 404


@pytest.fixture
def big(servers: tuple[Server, Server]) -> str:
    """The digest of what `big:1` stands for in the first registry: layers that go up in streams."""
    one = Wire(servers[0].address)
    layers = [hashlib.shake_128(bytes([number])).digest(MEGABYTES_EACH * 2**20) for number in range(LAYERS)]
    return one.put_manifest("big", "1", one.image("big", "2024-01-02T03:04:05Z", layers))


@pytest.mark.parametrize(("signal_", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130)], ids=["killed", "Ctrl-C"])
@pytest.mark.parametrize("megabytes", [1, 40, LAYERS * MEGABYTES_EACH])
def test_a_copy_that_is_ended_leaves_no_name_and_the_next_one_completes_it(
    user: Devreg, servers: tuple[Server, Server], big: str, signal_: signal.Signals, code: int, megabytes: int
) -> None:
    one, two = servers
    with Gate(two.port) as gate:
        words = ("copy", "big:1", f"{gate.address}/big")
        gate.hold_after(megabytes * 2**20)
        with user.start(*words) as process:
            gate.wait()
            process.send_signal(signal_)
            stdout, stderr = process.communicate(timeout=SECONDS)
        assert (process.returncode, stdout) == (code, "")
        assert "Traceback" not in stderr
        gate.break_off()
        assert Wire(two.address)("GET", "/v2/big/tags/list").status == 404
        assert user.ok(*words).stdout == f"{gate.address}/big@{big}\n"
    assert contents(Wire(two.address), "big") == contents(Wire(one.address), "big")


@pytest.mark.parametrize("role", ["source", "target", "both"])
def test_a_registry_is_restarted_in_the_middle(
    user: Devreg, servers: tuple[Server, Server], big: str, role: str
) -> None:
    """Held early: more is left to read of the source than lies in buffers on the way."""
    one, two = servers
    with Gate(two.port) as gate:
        gate.hold_after(2**20)
        with user.start("copy", "big:1", f"{gate.address}/big") as process:
            gate.wait()
            for server in {"source": [one], "target": [two], "both": [one, two]}[role]:
                server.kill()
                server.start()
            gate.open() if role == "source" else gate.break_off()
            stdout, stderr = process.communicate(timeout=SECONDS)
    assert process.returncode == 0, stderr
    assert stdout.endswith(f"@{big}\n")
    assert contents(Wire(two.address), "big") == contents(Wire(one.address), "big")
