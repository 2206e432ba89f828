"""Archives on disk: whatever made them, the image gets there whole; what is wrong with one keeps it from a name."""

import gzip
import json
import lzma
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from devreg.direct.archive import images
from devreg.direct.manifests import Raised, name
from devreg.model.errors import ArchiveUnusable, DevregError, UploadFailed
from devreg.model.events import Event, Layer
from devreg.model.manifest import DOCKER_IMAGE, OCI_ARTIFACT, OCI_IMAGE, OCI_INDEX
from devreg.model.results import Layers
from tests.unit.archives import hostile
from tests.unit.direct.built import (
    DOCKER_LAYER,
    EMPTY_TAR,
    OCI_CONFIG,
    OCI_GZIP,
    Files,
    Image,
    Layout,
    as_json,
    blob_path,
    by_crane,
    by_engine_20,
    by_engine_25,
    by_skopeo,
    described,
    file,
    image,
    link,
    links_of_engine_20,
    multi_platform,
    noise,
    sha256,
    tarred,
    unpacked,
)
from tests.unit.direct.world import APP, World

ONE = image("base", "middle", "top")
TWICE = Image((ONE.layers[0], EMPTY_TAR, ONE.layers[0], EMPTY_TAR))
WRITERS: dict[str, Callable[[Image], Files]] = {
    "engine 20": by_engine_20,
    "engine 25": by_engine_25,
    "skopeo": by_skopeo,
    "crane": by_crane,
}
writers = pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS.keys())


def push(world: World, path: Path, tag: str = "1") -> list[Raised]:
    """All images of an archive, each under a tag: `1`, `1x`, `1xx`."""
    placer = world.placer()
    raised = [each.raise_by(placer, (tag,)) for each in images(path)]
    for number, each in enumerate(raised):
        name(placer, each, tag + "x" * number)
    return raised


def refused(world: World, path: Path, words: str, kind: type[DevregError] = ArchiveUnusable) -> None:
    with pytest.raises(kind, match=words):
        push(world, path)
    assert world.named() == []


def layers_up(world: World, tag: str = "1") -> list[bytes]:
    """The tars of the layers, as whoever pulls would see them."""
    manifest = json.loads(world.registry.manifest_body(APP, tag)[0])
    blobs = world.registry.blobs[APP]
    assert all(len(blobs[each["digest"]]) == each["size"] for each in (*manifest["layers"], manifest["config"]))  # type: ignore[arg-type]
    return [gzip.decompress(blobs[each["digest"]]) for each in manifest["layers"]]  # type: ignore[arg-type]


class TestDockerArchive:
    @writers
    @pytest.mark.parametrize("one", [ONE, TWICE, Image(())], ids=["three", "twice", "none"])
    def test_the_image_is_up(self, world: World, tmp_path: Path, write: Callable[[Image], Files], one: Image) -> None:
        links = links_of_engine_20(one) if write is by_engine_20 else []
        (raised,) = push(world, file(tmp_path, tarred(write(one), *links)))
        manifest = json.loads(raised.body)
        assert raised.descriptor.media_type == manifest["mediaType"]
        assert manifest["mediaType"] == DOCKER_IMAGE or not one.layers
        assert manifest["config"]["digest"] == one.id
        assert {each["mediaType"] for each in manifest["layers"]} <= {DOCKER_LAYER}
        assert layers_up(world) == list(one.layers)
        assert len(world.registry.sent) == len(set(one.layers)) + 1

    @writers
    def test_a_folder_and_a_compressed_tar_are_the_same(
        self, world: World, tmp_path: Path, write: Callable[[Image], Files]
    ) -> None:
        files = write(ONE)
        paths = [
            file(tmp_path, tarred(files)),
            file(tmp_path, gzip.compress(tarred(files)), "image.tar.gz"),
            file(tmp_path, lzma.compress(tarred(files)), "image.tar.xz"),
            unpacked(tmp_path / "folder", files),
        ]
        digests = {push(world, path)[0].descriptor.digest for path in paths}
        assert len(digests) == 1
        assert len(world.registry.sent) == 4

    def test_names_are_told(self, tmp_path: Path) -> None:
        path = file(tmp_path, tarred(by_skopeo(ONE, "registry.example/app:1")))
        assert [each.names for each in images(path)] == [("registry.example/app:1",)]

    def test_what_is_there_is_neither_compressed_nor_sent(self, world: World, tmp_path: Path) -> None:
        path = file(tmp_path, tarred(by_skopeo(ONE)))
        push(world, path)
        before = list(world.registry.sent)
        (raised,) = push(world, path, "2")
        assert world.registry.sent == before
        assert world.registry.manifest_body(APP, "2")[2] == raised.descriptor.digest

    def test_layers_of_another_machine_are_known_by_the_repositorys_tags(self, world: World, tmp_path: Path) -> None:
        push(world, file(tmp_path, tarred(by_crane(ONE))))  # compressed by another program
        world.forget()
        grown = Image((*ONE.layers, *image("new").layers))
        push(world, file(tmp_path, tarred(by_skopeo(grown))), "2")
        assert len(world.registry.sent) == 4 + 2
        assert layers_up(world, "2") == list(grown.layers)

    def test_layers_of_another_repository_are_mounted(self, world: World, tmp_path: Path) -> None:
        path = file(tmp_path, tarred(by_skopeo(ONE)))
        push(world, path)
        placer = world.placer("other/app")
        images(path)[0].raise_by(placer, ())
        assert [source for source, _ in world.registry.mounted] == [APP] * 4
        assert placer.take_counts() == (Layers(mounted=3), 0)

    def test_a_layer_that_is_there_twice_is_sent_once_and_named_twice(self, world: World, tmp_path: Path) -> None:
        (raised,) = push(world, file(tmp_path, tarred(by_engine_25(TWICE))))
        digests = [each["digest"] for each in json.loads(raised.body)["layers"]]
        assert digests[:2] == digests[2:]

    def test_foreign_layers_are_kept(self, world: World, tmp_path: Path) -> None:
        files, source = by_engine_25(ONE), described(b"foreign", "x/foreign", urls=["https://a.example/b"])
        (entry,) = json.loads(files["manifest.json"])
        entry["LayerSources"][ONE.diff_ids[1]] = source
        files["manifest.json"] = as_json([entry])
        (raised,) = push(world, file(tmp_path, tarred(files)))
        layers = json.loads(raised.body)["layers"]
        assert layers[1] == source
        assert len(world.registry.sent) == 3

    def test_several_images_share_what_they_can(self, world: World, tmp_path: Path) -> None:
        other = Image((*ONE.layers[:2], *image("other").layers))
        files = by_skopeo(ONE) | by_skopeo(other)
        entries = [json.loads(by_skopeo(each)["manifest.json"])[0] for each in (ONE, other)]
        push(world, file(tmp_path, tarred(files | {"manifest.json": as_json(entries)})))
        assert len(world.registry.sent) == 4 + 2
        assert (layers_up(world), layers_up(world, "1x")) == (list(ONE.layers), list(other.layers))

    def test_it_is_deterministic(self, tmp_path: Path, world: World) -> None:
        from dataclasses import replace

        from tests.unit.direct.world import FakeRegistry

        path = file(tmp_path, tarred(by_skopeo(ONE)))
        world.forget()
        digests = [push(replace(world, registry=FakeRegistry()), path)[0].descriptor.digest for _ in range(2)]
        assert digests[0] == digests[1]

    def test_the_listener_is_told(self, world: World, tmp_path: Path) -> None:
        heard: list[Event] = []
        (one,) = images(file(tmp_path, tarred(by_skopeo(image("a")))))
        one.raise_by(world.placer(listener=heard.append), ())
        layers = [each for each in heard if isinstance(each, Layer)]
        assert {each.id for each in layers} == {image("a").diff_ids[0][7:19]}
        assert [each.status for each in layers][-1] == "Pushed"
        assert [each.done for each in layers] == [False] * (len(layers) - 1) + [True]
        assert layers[-1].total == len(image("a").layers[0])


class TestDockerArchiveRefused:
    @writers
    def test_every_file_is_needed(self, world: World, tmp_path: Path, write: Callable[[Image], Files]) -> None:
        files = write(ONE)
        needed = [
            each for each in files if not each.endswith(("json", "VERSION", "oci-layout")) or each.count("/") == 0
        ]
        for number, lost in enumerate(set(needed) - {"oci-layout", "index.json"}):
            if write is by_engine_25 and lost not in (blob_path(each) for each in (ONE.id, *ONE.diff_ids)):
                continue
            path = file(tmp_path, tarred({each: files[each] for each in files if each != lost}), f"{number}.tar")
            refused(world, path, "lacks|is not there|has neither")

    @writers
    def test_a_layer_that_is_another_is_refused(
        self, world: World, tmp_path: Path, write: Callable[[Image], Files]
    ) -> None:
        files = write(ONE)
        (path,) = [json.loads(files["manifest.json"])[0]["Layers"][1]]
        other = image("evil").layers[0]
        files[path] = gzip.compress(other) if write is by_crane else other
        refused(world, file(tmp_path, tarred(files)), f"what should be the layer {ONE.diff_ids[1]} is {sha256(other)}")

    def test_what_was_refused_is_not_remembered_as_the_layer(self, world: World, tmp_path: Path) -> None:
        files = by_skopeo(ONE)
        files[f"{ONE.diff_ids[1][7:]}.tar"] = image("evil").layers[0]
        refused(world, file(tmp_path, tarred(files)), "what should be")
        push(world, file(tmp_path, tarred(by_skopeo(ONE))))
        assert layers_up(world) == list(ONE.layers)

    @pytest.mark.parametrize(
        ("compress", "words"),
        [
            (lambda _: b"\x28\xb5\x2f\xfd" + bytes(1000), "zstd, which Docker's manifests have no name for"),
            (lzma.compress, "xz, which Docker's manifests have no name for"),
            (lambda layer: gzip.compress(layer)[:-1], "ends early"),
            (lambda layer: gzip.compress(layer) + b"garbage", "ends early|damaged|what should be"),
            (lambda layer: layer[:-1], "what should be the layer"),
            (lambda _: b"", "what should be the layer"),
        ],
    )
    def test_a_layer_that_cannot_be_the_layer(
        self, world: World, tmp_path: Path, compress: Callable[[bytes], bytes], words: str
    ) -> None:
        files = by_crane(ONE)
        path = json.loads(files["manifest.json"])[0]["Layers"][0]
        files[path] = compress(ONE.layers[0])
        refused(world, file(tmp_path, tarred(files)), words)

    def test_a_layer_of_two_gzip_members_is_kept(self, world: World, tmp_path: Path) -> None:
        files, layer = by_crane(ONE), ONE.layers[0]
        path = json.loads(files["manifest.json"])[0]["Layers"][0]
        files[path] = gzip.compress(layer[:700]) + gzip.compress(layer[700:])
        push(world, file(tmp_path, tarred(files)))
        assert sha256(files[path]) in world.registry.sent
        assert layers_up(world) == list(ONE.layers)

    def test_a_layer_that_is_a_bomb(self, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("devreg.archives.inflate._FREE_BYTES", 2**20)
        bomb = Image((bytes(2**25),))
        refused(world, file(tmp_path, tarred(by_crane(bomb))), "grows more than 200-fold")
        assert world.registry.sent == []

    def test_a_bomb_of_an_archive(self, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("devreg.archives.inflate._FREE_BYTES", 2**20)
        path = file(tmp_path, gzip.compress(tarred(by_skopeo(Image((bytes(2**25),))))), "bomb.tar.gz")
        refused(world, path, r"bomb\.tar\.gz grows more than 200-fold")
        assert world.registry.sent == []

    @pytest.mark.parametrize(("make", "words"), hostile.REFUSED.values(), ids=hostile.REFUSED.keys())
    def test_tars_that_do_harm(self, world: World, tmp_path: Path, make: Callable[[], bytes], words: str) -> None:
        refused(world, file(tmp_path, make()), words)

    @pytest.mark.parametrize("left", [1, 100, 5000, 20_000])
    def test_an_archive_that_ends_early(self, world: World, tmp_path: Path, left: int) -> None:
        tar = tarred(by_skopeo(ONE)).rstrip(b"\0")
        refused(world, file(tmp_path, tar[:-left]), "unexpected end|longer than|has neither|is not JSON")
        refused(world, file(tmp_path, gzip.compress(tar)[:-left], "image.tar.gz"), "ends early|is no tar|has neither")
        assert world.registry.sent == []

    def test_a_link_that_leads_out_of_a_folder(self, world: World, tmp_path: Path) -> None:
        folder = unpacked(tmp_path / "folder", by_skopeo(ONE))
        layer = folder / f"{ONE.diff_ids[0][7:]}.tar"
        layer.rename(tmp_path / "secret")
        layer.symlink_to(tmp_path / "secret")
        refused(world, folder, "leads out of")

    def test_a_folder_that_changes_while_it_is_read(self, world: World, tmp_path: Path) -> None:
        folder = unpacked(tmp_path / "folder", by_skopeo(ONE))
        (one,) = images(folder)
        (folder / f"{ONE.diff_ids[0][7:]}.tar").write_bytes(ONE.layers[1])
        with pytest.raises(ArchiveUnusable, match="what should be the layer"):
            one.raise_by(world.placer(), ())
        (folder / f"{ONE.diff_ids[0][7:]}.tar").unlink()
        os.mkfifo(folder / f"{ONE.diff_ids[0][7:]}.tar")
        with pytest.raises(ArchiveUnusable, match="not a regular file"):
            one.raise_by(world.placer(), ())


class TestLayout:
    @pytest.mark.parametrize("form", [OCI_IMAGE, DOCKER_IMAGE])
    def test_an_image_is_kept_as_it_is(self, world: World, tmp_path: Path, form: str) -> None:
        layout = Layout()
        body = layout.add(ONE, form=form)
        files = layout.rooted(described(body, form, name="registry.example/app:1"))
        paths = [
            unpacked(tmp_path / "folder", files),
            file(tmp_path, tarred(files)),
            file(tmp_path, gzip.compress(tarred(files)), "a.tar.gz"),
        ]
        for path in paths:
            assert [each.names for each in images(path)] == [("registry.example/app:1",)]
            (raised,) = push(world, path)
            assert (raised.body, raised.descriptor.media_type) == (body, form)
            assert layers_up(world) == list(ONE.layers)
            world.registry.blobs.clear()
            world.registry.manifests.clear()

    def test_several_platforms_are_kept_as_they_are(self, world: World, tmp_path: Path) -> None:
        files, index = multi_platform()
        (raised,) = push(world, file(tmp_path, tarred(files)))
        assert (raised.body, raised.descriptor.media_type) == (index, OCI_INDEX)
        assert world.registry.manifest_body(APP, "1")[0] == index
        assert len(world.registry.sent) == len(set(world.registry.sent)) == 7
        assert len(world.registry.manifests) == 3 + 2

    def test_bare_layers_are_kept_where_nobody_says_otherwise(self, world: World, tmp_path: Path) -> None:
        files = by_engine_25(ONE)
        del files["manifest.json"]
        (raised,) = push(world, file(tmp_path, tarred(files)))
        assert raised.descriptor.media_type == OCI_IMAGE
        assert set(world.registry.sent) == {ONE.id, *ONE.diff_ids}

    def test_bare_layers_and_compressed_ones_of_the_same_content(self, world: World, tmp_path: Path) -> None:
        """A diffID is the digest of a blob too: of the bare layer. One push may need both."""
        bare = by_engine_25(ONE)
        compressed = file(tmp_path, tarred(bare))
        del bare["manifest.json"]
        kept, placer = file(tmp_path, tarred(bare), "kept.tar"), world.placer()
        for path in (compressed, kept, compressed):
            name(placer, images(path)[0].raise_by(placer, ()), "1")
        assert {*ONE.diff_ids} < set(world.registry.sent)

    def test_what_build_kit_writes_for_docker_is_kept(self, world: World, tmp_path: Path) -> None:
        """An OCI layout with a `manifest.json`, its layers compressed."""
        layout = Layout()
        body = layout.add(ONE)
        layers = [blob_path(each["digest"]) for each in json.loads(body)["layers"]]
        files = layout.rooted(described(body, OCI_IMAGE))
        files["manifest.json"] = as_json([{"Config": blob_path(ONE.id), "RepoTags": ["a:1"], "Layers": layers}])
        (raised,) = push(world, file(tmp_path, tarred(files)))
        assert raised.body == body

    def test_an_engine_that_has_one_platform_of_several(self, world: World, tmp_path: Path) -> None:
        files, _ = multi_platform(without=["linux/arm64", "unknown/unknown"])
        refused(world, file(tmp_path, tarred(files)), "leads to sha256:.*, which is not there")
        (raised,) = push(world, file(tmp_path, tarred(files | {"manifest.json": b"[]"})))
        assert raised.descriptor.platform == "linux/amd64"
        assert layers_up(world) == list(image("base", "linux/amd64").layers)

    def test_foreign_and_empty_layers_are_kept(self, world: World, tmp_path: Path) -> None:
        layout = Layout()
        foreign = described(b"foreign", "application/vnd.oci.image.layer.nondistributable.v1.tar", urls=["https://a"])
        body = layout.add(ONE, foreign, layout.blob(b"", OCI_GZIP))
        (raised,) = push(world, file(tmp_path, tarred(layout.rooted(described(body, OCI_IMAGE)))))
        assert raised.body == body
        assert world.registry.blobs[APP][sha256(b"")] == b""
        assert foreign["digest"] not in world.registry.sent

    def test_artifacts_are_kept(self, world: World, tmp_path: Path) -> None:
        layout = Layout()
        body = layout.manifest(OCI_ARTIFACT, artifactType="a/b", blobs=[layout.blob(noise("sbom"), "text/spdx")])
        (raised,) = push(world, file(tmp_path, tarred(layout.rooted(described(body, OCI_ARTIFACT)))))
        assert (raised.body, raised.descriptor.media_type) == (body, OCI_ARTIFACT)

    def test_indexes_in_indexes(self, world: World, tmp_path: Path) -> None:
        layout = Layout()
        inner = layout.index(described(layout.add(image("a")), OCI_IMAGE))
        outer = layout.index(described(inner, OCI_INDEX), described(layout.add(image("b")), OCI_IMAGE))
        (raised,) = push(world, file(tmp_path, tarred(layout.rooted(described(outer, OCI_INDEX)))))
        assert raised.body == outer

    def test_several_roots(self, world: World, tmp_path: Path) -> None:
        layout = Layout()
        bodies = [layout.add(image("base", each)) for each in "ab"]
        entries = [described(body, OCI_IMAGE, name=str(number)) for number, body in enumerate(bodies)]
        path = file(tmp_path, tarred(layout.rooted(*entries)))
        assert [each.names for each in images(path)] == [("0",), ("1",)]
        assert [each.body for each in push(world, path)] == bodies
        assert len(world.registry.sent) == 2 + 3

    def test_what_is_there_is_not_sent(self, world: World, tmp_path: Path) -> None:
        path = file(tmp_path, tarred(multi_platform()[0]))
        push(world, path)
        before = list(world.registry.sent)
        push(world, path, "2")
        assert world.registry.sent == before
        placer = world.placer("other/app")
        images(path)[0].raise_by(placer, ())
        assert world.registry.sent == before


class TestLayoutRefused:
    def test_every_file_is_needed(self, world: World, tmp_path: Path) -> None:
        files, _ = multi_platform()
        for number, lost in enumerate(files):
            path = file(tmp_path, tarred({each: files[each] for each in files if each != lost}), f"{number}.tar")
            if lost != "oci-layout":
                refused(world, path, "lacks|is not there|has neither")
        assert world.registry.sent == []

    def test_a_blob_of_another_size(self, world: World, tmp_path: Path) -> None:
        layout = Layout()
        body = layout.add(ONE)
        layer = json.loads(body)["layers"][0]
        layout.files[blob_path(layer["digest"])] += b"more"
        files = layout.rooted(described(body, OCI_IMAGE))
        refused(world, file(tmp_path, tarred(files)), f"has {layer['size'] + 4} bytes, and its manifest says")
        assert world.registry.sent == []

    def test_a_blob_of_another_content(self, world: World, tmp_path: Path) -> None:
        layout = Layout()
        body = layout.add(ONE)
        layer = json.loads(body)["layers"][0]
        layout.files[blob_path(layer["digest"])] = bytes(layer["size"])
        files = layout.rooted(described(body, OCI_IMAGE))
        refused(world, file(tmp_path, tarred(files)), "DIGEST_INVALID", UploadFailed)

    def test_a_size_that_lies(self, world: World, tmp_path: Path) -> None:
        layout = Layout()
        layer = layout.blob(noise("layer"), OCI_GZIP)
        body = layout.manifest(OCI_IMAGE, config=layout.blob(b"{}", OCI_CONFIG), layers=[layer | {"size": 2**50}])
        refused(world, file(tmp_path, tarred(layout.rooted(described(body, OCI_IMAGE)))), f"its manifest says {2**50}")

    def test_a_manifest_that_is_a_layer_of_gigabytes(self, world: World, tmp_path: Path) -> None:
        layout = Layout()
        path = unpacked(tmp_path / "folder", layout.rooted({**described(b"", OCI_IMAGE), "size": 2**33}))
        big = path / blob_path(sha256(b""))
        big.parent.mkdir(parents=True)
        with big.open("wb") as made:
            made.truncate(2**33)
        refused(world, path, f"has {2**33} bytes, and such a file has a few kilobytes")


class TestWhatIsNoArchive:
    def test_nothing_there(self, tmp_path: Path) -> None:
        with pytest.raises(ArchiveUnusable, match=r"none\.tar cannot be read: No such file"):
            images(tmp_path / "none.tar")

    @pytest.mark.parametrize("files", [{}, {"etc/passwd": b"root"}, {"repositories": b"{}"}])
    def test_something_else(self, tmp_path: Path, files: Files) -> None:
        paths = [
            unpacked(tmp_path / "folder", {"a": b"", **files}),
            file(tmp_path, tarred({"a": b"", **files})),
            file(tmp_path, gzip.compress(tarred({"a": b"", **files})), "a.tar.gz"),
        ]
        for path in paths:
            with pytest.raises(ArchiveUnusable, match=f"{path.name} is no archive of images") as caught:
                images(path)
            assert "docker save" in caught.value.hint

    @pytest.mark.parametrize("name", ["manifest.json", "index.json"])
    @pytest.mark.parametrize("content", [b"", b"null", b"{}", b"[[]]", b'"a"', b"[" * 100_000])
    def test_json_that_makes_no_sense(self, tmp_path: Path, name: str, content: bytes) -> None:
        with pytest.raises(ArchiveUnusable, match=name):
            images(file(tmp_path, tarred({name: content})))

    def test_json_that_is_huge(self, tmp_path: Path) -> None:
        path = tmp_path / "folder"
        path.mkdir()
        with (path / "index.json").open("wb") as made:
            made.truncate(2**40)
        with pytest.raises(ArchiveUnusable, match=f"index.json has {2**40} bytes"):
            images(path)

    def test_zstd(self, tmp_path: Path) -> None:
        with pytest.raises(ArchiveUnusable, match="zstd -d"):
            images(file(tmp_path, b"\x28\xb5\x2f\xfd" + bytes(100)))

    def test_a_device_in_the_place_of_a_manifest(self, tmp_path: Path) -> None:
        import tarfile

        with pytest.raises(ArchiveUnusable, match="is no archive of images"):
            images(file(tmp_path, tarred({}, link("manifest.json", "", tarfile.FIFOTYPE))))


def test_an_image_of_gigabytes_takes_no_memory(world: World, tmp_path: Path) -> None:
    """A layer of 256 MiB, most of it a hole in the file."""
    import hashlib

    size, sha = 2**28, hashlib.sha256()
    for _ in range(size // 2**20):
        sha.update(bytes(2**20))
    diff_id = f"sha256:{sha.hexdigest()}"
    config = as_json({"rootfs": {"diff_ids": [diff_id]}})
    entry = {"Config": "c.json", "RepoTags": None, "Layers": ["layer.tar"]}
    path = tmp_path / "big.tar"
    with path.open("wb") as made:
        made.write(hostile.header("layer.tar", size=size))
        made.truncate(512 + size)
        made.seek(512 + size)
        made.write(tarred({"c.json": config, "manifest.json": as_json([entry])}))
    world.registry.keeps = False
    tracemalloc.start()
    try:
        push(world, path)
        assert tracemalloc.get_traced_memory()[1] < 60 * 2**20
    finally:
        tracemalloc.stop()
    assert len(world.registry.sent) == 2
