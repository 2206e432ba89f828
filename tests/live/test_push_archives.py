"""`devreg push` of images in files, folders and pipes, without any engine: kept as they are, and pulled by engines."""

import gzip
import json
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from tests.live.conftest import Server as OwnServer
from tests.live.conftest import client
from tests.live.lab.contents import contents
from tests.live.lab.devreg import Devreg
from tests.live.lab.engine import Engine
from tests.live.lab.fault_proxy import FaultProxy
from tests.live.lab.images import multi_layer_image
from tests.live.lab.layouts import FOREIGN, Layout, image, multi_platform, tarred
from tests.live.lab.plain_registry import Server, plain_registry
from tests.live.lab.run import need, run
from tests.live.lab.wire import OCI_INDEX, Wire, digest_of
from tests.live.test_push_direct import pulled

NAME = "archives/app:1"
FORMS = ("file", "file, compressed", "folder", "pipe", "pipe, compressed")


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory, cache: Path) -> Iterator[Server]:
    with plain_registry(tmp_path_factory.mktemp("registry"), cache) as server:
        yield server


@pytest.fixture
def user(registry: Server, tmp_path: Path) -> Devreg:
    """Somebody without an engine."""
    folder = tmp_path / "user"
    folder.mkdir()
    return Devreg(folder, f"unix://{folder}/nobody.sock", registry=registry.address)


@dataclass(frozen=True)
class Source:
    """An image of an engine, gone from there by now. `saved`: what `docker save` wrote; `copied`: the OCI layout that
    skopeo made."""

    id: str
    saved: Path
    copied: Path


@pytest.fixture(scope="module")
def source(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> Source:
    folder = tmp_path_factory.mktemp("source")
    with client(engine) as sdk:
        found = sdk.images.get(multi_layer_image(sdk, NAME, 3, 0.5))
        (folder / "image.tar").write_bytes(b"".join(found.save(named=NAME)))
        options = ("--src-daemon-host", engine.host)
        run(need("skopeo", "skopeo"), "copy", *options, f"docker-daemon:{NAME}", f"oci:{folder}/layout:{NAME}")
        sdk.images.remove(NAME)
    return Source(str(found.id), folder / "image.tar", folder / "layout")


def packed(folder: Path, file: Path) -> Path:
    """A tar of a folder's content."""
    with tarfile.open(file, "w") as tar:
        tar.add(folder, ".")
    return file


def given(form: str, tar: Path, folder: Path) -> tuple[str, Path]:
    """An archive in one of FORMS, made in `folder`: what devreg is told, and the file for its standard input."""
    if form == "folder":
        with tarfile.open(tar) as archive:
            archive.extractall(folder / "unpacked")  # noqa: S202  # docker has made it
        return str(folder / "unpacked"), Path("/dev/null")
    if form.endswith("compressed"):
        file = folder / "image.tar.gz"
        file.write_bytes(gzip.compress(tar.read_bytes(), 1))
        tar = file
    return ("-", tar) if form.startswith("pipe") else (str(tar), Path("/dev/null"))


def push(user: Devreg, archive: tuple[str, Path], *more: str) -> subprocess.CompletedProcess[str]:
    """Push what `given` gave."""
    word, stdin = archive
    return run("sh", "-c", '"$@" < "$0"', stdin, *user.command("push", word, *more), check=False)


def pushed(user: Devreg, archive: tuple[str, Path], *more: str) -> str:
    """Push what `given` gave; the digest that is printed."""
    done = push(user, archive, *more)
    assert done.returncode == 0, done.stderr
    assert ", direct: it is an archive\n" in done.stderr
    return done.stdout.strip().partition("@")[2]


@pytest.mark.parametrize("form", FORMS)
def test_what_docker_saves(
    form: str, user: Devreg, registry: Server, source: Source, engine: Engine, tmp_path: Path
) -> None:
    name = f"saved/{form.replace(', ', '-')}:1"
    digest = pushed(user, given(form, source.saved, tmp_path), "--as", name)
    assert contents(Wire(registry.address), name.partition(":")[0]).tags == {"1": digest}
    assert pulled(engine, f"{registry.address}/{name}").id == source.id


def test_docker_save_in_a_pipe(
    user: Devreg, registry: Server, engine: Engine, newer_engine: Engine, tmp_path: Path
) -> None:
    """Of both engines; those from 25 on write an OCI layout too, in which the layers are not compressed."""
    for number, each in enumerate((engine, newer_engine)):
        with client(each) as sdk:
            name = multi_layer_image(sdk, f"piped/app{number}:1", 2, 0.5)
            before = sdk.images.get(name)
        docker = need("docker", "docker.io", each.binaries or Path("/usr/bin"))
        env = {"DOCKER_HOST": each.host, "DOCKER_CONFIG": str(tmp_path)}
        line = f'{docker} save {name} | "$@"'
        done = run("sh", "-c", line, "sh", *user.command("push", "-", "--as", name), env=env)
        digest = done.stdout.strip().partition("@")[2]
        image = pulled(each, f"{registry.address}/{name}", name)
        assert image.id == before.id
        assert contents(Wire(registry.address), name.partition(":")[0]).tags == {"1": digest}


def test_the_archives_own_name(user: Devreg, registry: Server, source: Source) -> None:
    done = user.ok("push", str(source.saved), "--json")
    (one,) = done.data["pushed"]
    assert (one["reference"], one["layers"]["sent"]) == (f"{registry.address}/{NAME}", 3)
    (again,) = user.ok("push", str(source.saved), "-t", "2", "-t", "3", "--json").data["pushed"][1:]
    assert (again["reference"], again["bytes_sent"]) == (f"{registry.address}/{NAME[:-1]}3", 0)
    assert set(contents(Wire(registry.address), "archives/app").tags.values()) == {one["digest"]}


@pytest.mark.parametrize("form", FORMS)
def test_what_skopeo_copies_is_kept(
    form: str, user: Devreg, registry: Server, source: Source, engine: Engine, tmp_path: Path
) -> None:
    name = f"copied/{form.replace(', ', '-')}:1"
    digest = pushed(user, given(form, packed(source.copied, tmp_path / "layout.tar"), tmp_path), "--as", name)
    (root,) = json.loads((source.copied / "index.json").read_text())["manifests"]
    assert digest == root["digest"]
    found = contents(Wire(registry.address), name.partition(":")[0])
    blobs = {f"sha256:{each.name}": each.stat().st_size for each in (source.copied / "blobs/sha256").iterdir()}
    blobs.pop(digest)
    assert (found.tags, found.blobs) == ({"1": digest}, blobs)
    config = Wire(registry.address).manifest(name.partition(":")[0], "1").document["config"]
    assert pulled(engine, f"{registry.address}/{name}").id == config["digest"]


@pytest.mark.parametrize("form", FORMS)
def test_an_index_of_platforms_and_attestations_is_kept(
    form: str, user: Devreg, registry: Server, engine: Engine, newer_engine: Engine, tmp_path: Path
) -> None:
    name = f"platforms/{form.replace(', ', '-')}:1"
    layout, digest = multi_platform(tmp_path / "layout", f"docker.io/{name}")
    more = ("--as", name) if form.startswith("pipe") else ()
    tar = packed(layout.folder, tmp_path / "layout.tar")
    assert pushed(user, given(form, tar, tmp_path), *more) == digest
    wire = Wire(registry.address)
    found = contents(wire, name.partition(":")[0])
    assert found.tags == {"1": digest}
    assert wire.manifest(name.partition(":")[0], "1").body == layout.blobs[digest]
    manifests = [each["digest"] for each in json.loads(layout.blobs[digest])["manifests"]]
    assert found.blobs.keys() == layout.blobs.keys() - {digest, *manifests}
    assert pulled(newer_engine, f"{registry.address}/{name}").id == digest
    assert pulled(engine, f"{registry.address}/{name}").attrs["Architecture"] == "amd64"


def from_elsewhere(url: str) -> dict[str, object]:
    """A layer that is not in the registry."""
    return {"mediaType": FOREIGN, "digest": digest_of(b"elsewhere"), "size": 9, "urls": [url]}


@pytest.fixture
def tolerant(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A registry that takes manifests with URLs in them, which it does not as it comes."""
    monkeypatch.setenv("REGISTRY_VALIDATION_DISABLED", "true")
    with plain_registry(tmp_path, cache) as server:
        yield server


@pytest.mark.parametrize("form", ["file", "pipe"])
def test_a_layer_from_elsewhere_and_an_empty_one_are_kept(
    form: str, user: Devreg, tolerant: Server, tmp_path: Path
) -> None:
    layout, name = Layout(tmp_path / "layout"), f"odd/{form}:1"
    elsewhere = from_elsewhere("http://127.0.0.1:1/layer")
    odd = image(layout, "amd64", [tarred("odd")], elsewhere, annotations={"io.containerd.image.name": name})
    empty = image(layout, "arm64", [tarred("odd")], layout.add("application/octet-stream", b""))
    index = {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [odd, empty]}
    root = layout.add_json(OCI_INDEX, index)
    layout.finish(root)
    tar = packed(layout.folder, tmp_path / "layout.tar")
    assert pushed(replace(user, registry=tolerant.address), given(form, tar, tmp_path), "--as", name) == root["digest"]
    found = contents(Wire(tolerant.address), name.partition(":")[0])
    assert found.tags == {"1": root["digest"]}
    assert digest_of(b"") in found.blobs
    assert elsewhere["digest"] not in found.blobs


def one_from_elsewhere(folder: Path, url: str) -> tuple[str, dict[str, object]]:
    """A layout, and the descriptor of its only image, one of whose layers is had from `url`."""
    layout = Layout(folder)
    root = image(layout, "amd64", [tarred("here")], from_elsewhere(url))
    layout.finish(root)
    return str(folder), root


def test_devregs_own_server_takes_layers_from_elsewhere(devreg: Devreg, server: OwnServer, tmp_path: Path) -> None:
    server.log_in(devreg)
    layout, root = one_from_elsewhere(tmp_path / "layout", "https://mcr.microsoft.com/v2/windows/blobs/sha256:0")
    devreg.ok("push", layout, "--as", "elsewhere/app:1")
    assert contents(server.anybody, "elsewhere/app").tags == {"1": root["digest"]}


def test_a_registry_that_refuses_layers_from_elsewhere_is_not_asked_again(
    user: Devreg, registry: Server, tmp_path: Path
) -> None:
    """It answers with a 500, as for what passes."""
    layout, _ = one_from_elsewhere(tmp_path / "layout", "https://a.example/layer")
    with FaultProxy(registry.port) as proxy:
        proxy.arm()
        failed = replace(user, registry=proxy.address).fails(23, "push", layout, "--as", "refused/app:1")
    assert f"the registry does not have {digest_of(b'elsewhere')}" in failed.stderr
    assert "validation.manifests.urls.allow" in failed.stderr
    assert len([line for line in proxy.requests if line.startswith("PUT /v2/refused/app/manifests/")]) == 1


@pytest.mark.parametrize("damage", ["cut", "lacks a layer", "another layer"])
def test_what_is_damaged_leaves_nothing_behind(
    damage: str, user: Devreg, source: Source, registry: Server, tmp_path: Path
) -> None:
    tar, unpacked = tmp_path / "damaged.tar", tmp_path / "unpacked"
    with tarfile.open(source.saved) as archive:
        archive.extractall(unpacked)  # noqa: S202  # docker has made it
    layer = unpacked / json.loads((unpacked / "manifest.json").read_text())[0]["Layers"][1]
    if damage == "cut":
        tar.write_bytes(source.saved.read_bytes()[: source.saved.stat().st_size // 2])
    else:
        content = layer.read_bytes()
        layer.unlink()
        if damage == "another layer":
            layer.write_bytes(content[:-2048] + b"x" * 1024 + content[-1024:])
        packed(unpacked, tar)
    name = f"damaged/{damage.replace(' ', '-')}"
    for form in ("file", "pipe"):
        done = push(user, given(form, tar, tmp_path), "--as", f"{name}:1")
        assert done.returncode == 23, done.stderr
        assert "the archive cannot be pushed" in done.stderr
    tags = Wire(registry.address)("GET", f"/v2/{name}/tags/list")
    assert not tags.document.get("tags")
