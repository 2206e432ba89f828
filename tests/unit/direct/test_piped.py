"""Archives from a pipe: as from a file, but for what a pipe cannot do."""

import bz2
import gzip
import io
import json
import lzma
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO, cast

import pytest

from devreg.direct.manifests import Raised, name
from devreg.direct.piped import raise_piped
from devreg.model.errors import ArchiveUnusable, DevregError, UploadFailed
from devreg.model.manifest import OCI_IMAGE, OCI_INDEX
from devreg.model.results import Layers
from tests.unit.archives import hostile
from tests.unit.archives.test_forward import Trickle
from tests.unit.direct.built import (
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
    links_of_engine_20,
    multi_platform,
    noise,
    sha256,
    tarred,
)
from tests.unit.direct.test_archive import ONE, TWICE, WRITERS, layers_up, writers
from tests.unit.direct.test_archive import push as push_file
from tests.unit.direct.world import APP, World


class Pipe(io.RawIOBase):
    """A pipe that gives little at once."""

    def __init__(self, content: bytes, most: int = 3000) -> None:
        super().__init__()
        self._trickle = Trickle(content, most)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        return self._trickle.readinto(buffer)


def piped(content: bytes) -> BinaryIO:
    return cast(BinaryIO, io.BufferedReader(Pipe(content)))


def push(world: World, content: bytes, tag: str = "1") -> Raised:
    placer = world.placer()
    raised = raise_piped(placer, piped(content), (tag,))
    name(placer, raised, tag)
    return raised


def refused(world: World, content: bytes, words: str, kind: type[DevregError] = ArchiveUnusable) -> None:
    with pytest.raises(kind, match=words):
        push(world, content)
    assert world.named() == []


@pytest.fixture(autouse=True)
def spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where layers are kept meanwhile."""
    folder = tmp_path / "spool"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


class TestDockerArchive:
    @writers
    @pytest.mark.parametrize("one", [ONE, TWICE, Image(())], ids=["three", "twice", "none"])
    def test_it_is_as_from_a_file(
        self, world: World, tmp_path: Path, spool: Path, write: Callable[[Image], Files], one: Image
    ) -> None:
        links = links_of_engine_20(one) if write is by_engine_20 else []
        content = tarred(write(one), *links)
        raised = push(world, content)
        assert layers_up(world) == list(one.layers)
        assert push_file(world, file(tmp_path, content), "2") == [raised]
        assert list(spool.iterdir()) == []

    @pytest.mark.parametrize("compress", [gzip.compress, bz2.compress, lzma.compress])
    def test_it_may_be_compressed(self, world: World, compress: Callable[[bytes], bytes]) -> None:
        push(world, compress(tarred(by_skopeo(ONE))))
        assert layers_up(world) == list(ONE.layers)

    def test_one_layer_at_a_time_is_on_disk(self, world: World, spool: Path) -> None:
        seen: list[int] = []
        world.registry.on_upload = lambda _: seen.append(len(list(spool.iterdir())))
        push(world, tarred(by_skopeo(ONE)))
        assert seen == [1, 1, 1, 0]

    def test_what_is_there_is_neither_compressed_nor_sent(self, world: World) -> None:
        content = tarred(by_skopeo(ONE))
        raised = push(world, content)
        before = list(world.registry.sent)
        assert push(world, content, "2") == raised
        assert world.registry.sent == before

    def test_layers_of_another_machine_are_known_by_the_repositorys_tags(self, world: World) -> None:
        push(world, tarred(by_crane(ONE)))
        world.forget()
        grown = Image((*ONE.layers, *image("new").layers))
        placer = world.placer()
        name(placer, raise_piped(placer, piped(tarred(by_skopeo(grown)))), "2")
        assert placer.take_counts()[0] == Layers(sent=1, existing=3)
        assert layers_up(world, "2") == list(grown.layers)

    def test_layers_that_are_tiny_are_layers_all_the_same(self, world: World) -> None:
        tiny = Image((EMPTY_TAR, tarred({"[slug].js": b"x"}), b""))
        for files in (by_crane(tiny), by_skopeo(tiny), by_engine_20(tiny), by_engine_25(tiny)):
            push(world, tarred(files))
            assert layers_up(world) == list(tiny.layers)

    def test_foreign_layers_are_kept(self, world: World) -> None:
        files, source = by_skopeo(ONE), described(b"foreign", "x/foreign", urls=["https://a.example/b"])
        (entry,) = json.loads(files["manifest.json"])
        entry["LayerSources"] = {ONE.diff_ids[1]: source}
        raised = push(world, tarred(files | {"manifest.json": as_json([entry])}))
        assert json.loads(raised.body)["layers"][1] == source

    def test_other_files_are_not_sent(self, world: World) -> None:
        push(world, tarred({"README": noise("readme"), "bin/sh": noise("sh"), **by_skopeo(ONE)}))
        assert len(world.registry.sent) == 4


class TestDockerArchiveRefused:
    @writers
    def test_a_layer_that_is_missing(self, world: World, write: Callable[[Image], Files]) -> None:
        files = write(ONE)
        lost = json.loads(files["manifest.json"])[0]["Layers"][1]
        del files[lost]
        refused(world, tarred(files), f"lacks the layer {lost}")

    def test_a_layer_that_is_called_as_none_is(self, world: World) -> None:
        files = by_skopeo(ONE)
        (entry,) = json.loads(files["manifest.json"])
        files["base.img"] = files.pop(entry["Layers"][0])
        entry["Layers"][0] = "base.img"
        files["manifest.json"] = as_json([entry])
        refused(world, tarred(files), r"lacks the layer base\.img, or that is called as no layer is")

    @writers
    def test_a_layer_that_is_another(self, world: World, write: Callable[[Image], Files]) -> None:
        files, other = write(ONE), image("evil").layers[0]
        path = json.loads(files["manifest.json"])[0]["Layers"][1]
        files[path] = gzip.compress(other) if write is by_crane else other
        refused(world, tarred(files), f"the layer {path} is {sha256(other)}, and the image's config says")

    def test_a_tiny_layer_that_is_another(self, world: World) -> None:
        one = Image((tarred({"[a]": b"x"}),))
        files = by_skopeo(one)
        files[f"{one.diff_ids[0][7:]}.tar"] = tarred({"[b]": b"x"})
        refused(world, tarred(files), "what should be the layer")

    @pytest.mark.parametrize(
        ("compress", "words"),
        [
            (lambda _: b"\x28\xb5\x2f\xfd" + bytes(1000), "zstd -d"),
            (lzma.compress, "xz, which Docker's manifests have no name for"),
            (lambda layer: gzip.compress(layer)[:-1], "ends early"),
        ],
    )
    def test_a_layer_that_cannot_be_the_layer(
        self, world: World, compress: Callable[[bytes], bytes], words: str
    ) -> None:
        files = by_crane(ONE)
        path = json.loads(files["manifest.json"])[0]["Layers"][0]
        files[path] = compress(ONE.layers[0])
        refused(world, tarred(files), words)

    def test_several_images(self, world: World) -> None:
        files = by_skopeo(ONE)
        files["manifest.json"] = as_json(json.loads(files["manifest.json"]) * 2)
        refused(world, tarred(files), "has 2 images: push them from a file")

    def test_compressed_layers_among_blobs_without_an_index(self, world: World) -> None:
        layout = Layout()
        layers = [blob_path(each["digest"]) for each in json.loads(layout.add(ONE))["layers"]]
        entry = {"Config": blob_path(ONE.id), "RepoTags": None, "Layers": layers}
        refused(
            world, tarred(layout.files | {"manifest.json": as_json([entry])}), "is compressed, and the image's config"
        )

    @pytest.mark.parametrize("left", [1, 5000, 20_000])
    @pytest.mark.parametrize("write", WRITERS.values(), ids=WRITERS.keys())
    def test_a_pipe_that_ends_early(self, world: World, write: Callable[[Image], Files], left: int) -> None:
        tar = tarred(write(ONE)).rstrip(b"\0")
        words = "unexpected end|ends early|has neither|is not JSON|lacks"
        refused(world, tar[:-left], words)
        refused(world, gzip.compress(tar)[:-left], words)

    @pytest.mark.parametrize("left", [1, 8])
    def test_a_compressed_pipe_that_ends_early_though_its_tar_is_whole(self, world: World, left: int) -> None:
        refused(world, gzip.compress(tarred(by_skopeo(ONE)))[:-left], "standard input ends early")

    @pytest.mark.parametrize(("make", "words"), hostile.REFUSED.values(), ids=hostile.REFUSED.keys())
    def test_tars_that_do_harm(self, world: World, make: Callable[[], bytes], words: str) -> None:
        refused(world, make(), words)
        assert world.registry.sent == []

    def test_a_bomb(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("devreg.archives.inflate._FREE_BYTES", 2**20)
        refused(
            world, gzip.compress(tarred(by_skopeo(Image((bytes(2**25),))))), "standard input grows more than 200-fold"
        )
        refused(world, tarred(by_crane(Image((bytes(2**25),)))), r"\.tar\.gz grows more than 200-fold")
        assert world.registry.sent == []

    def test_no_room_on_disk(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(tempfile, "tempdir", "/nonexistent/folder")
        refused(world, tarred(by_skopeo(ONE)), "cannot be kept on disk")

    @pytest.mark.parametrize("content", [b"", tarred({"a": b"b"}), tarred({"bin/sh": noise("sh")})])
    def test_what_is_no_archive(self, world: World, content: bytes) -> None:
        refused(world, content, "is no tar|has neither manifest.json nor index.json")
        assert world.registry.sent == []


class TestLayout:
    def test_it_is_kept_as_it_is(self, world: World, spool: Path) -> None:
        files, index = multi_platform()
        raised = push(world, tarred(files))
        assert (raised.body, raised.descriptor.media_type) == (index, OCI_INDEX)
        assert world.registry.manifest_body(APP, "1")[0] == index
        assert list(spool.iterdir()) == []

    def test_blobs_that_are_no_layers_are_kept(self, world: World) -> None:
        layout = Layout()
        layers = [layout.blob(noise("wasm"), "application/wasm"), layout.blob(b"", OCI_GZIP)]
        body = layout.manifest(OCI_IMAGE, config=layout.blob(b"{}", OCI_CONFIG), layers=layers)
        assert push(world, tarred(layout.rooted(described(body, OCI_IMAGE)))).body == body

    def test_sha512(self, world: World) -> None:
        import hashlib

        layout, layer = Layout(), gzip.compress(ONE.layers[0])
        digest = f"sha512:{hashlib.sha512(layer).hexdigest()}"
        layout.files[blob_path(digest)] = layer
        entry = {"mediaType": OCI_GZIP, "digest": digest, "size": len(layer)}
        body = layout.manifest(OCI_IMAGE, config=layout.blob(b"{}", OCI_CONFIG), layers=[entry])
        push(world, tarred(layout.rooted(described(body, OCI_IMAGE))))
        assert digest in world.registry.sent

    def test_an_engine_that_has_one_platform_of_several(self, world: World) -> None:
        files, _ = multi_platform(without=["linux/arm64", "unknown/unknown"])
        refused(world, tarred(files), "leads to sha256:.*, which is not there")
        assert push(world, tarred(files | {"manifest.json": b"[]"})).descriptor.platform == "linux/amd64"

    def test_bare_layers_are_refused(self, world: World) -> None:
        files = by_engine_25(ONE)
        del files["manifest.json"]
        refused(world, tarred(files), "is not compressed, and a pipe is compressed at once: push the file itself")

    def test_every_file_is_needed(self, world: World) -> None:
        files, _ = multi_platform()
        for lost in files:
            if lost != "oci-layout":
                refused(world, tarred({each: files[each] for each in files if each != lost}), "lacks|not there|neither")

    @pytest.mark.parametrize("size", [10_000, 100])
    def test_a_size_that_lies(self, world: World, size: int) -> None:
        layout = Layout()
        layer = layout.blob(noise("layer", size), OCI_GZIP)
        body = layout.manifest(OCI_IMAGE, config=layout.blob(b"{}", OCI_CONFIG), layers=[layer | {"size": 2**50}])
        files = layout.rooted(described(body, OCI_IMAGE))
        refused(world, tarred(files), f"has {size} bytes, and its manifest says {2**50}")

    @pytest.mark.parametrize("size", [10_000, 100])
    def test_a_blob_of_another_content(self, world: World, size: int) -> None:
        layout = Layout()
        layer = layout.blob(noise("layer", size), OCI_GZIP)
        layout.files[blob_path(str(layer["digest"]))] = noise("other", size)
        body = layout.manifest(OCI_IMAGE, config=layout.blob(b"{}", OCI_CONFIG), layers=[layer])
        files = layout.rooted(described(body, OCI_IMAGE))
        refused(world, tarred(files), "lacks|DIGEST_INVALID", DevregError if size > 1000 else UploadFailed)

    def test_several_roots(self, world: World) -> None:
        layout = Layout()
        entries = [described(layout.add(image(each)), OCI_IMAGE) for each in "ab"]
        refused(world, tarred(layout.rooted(*entries)), "has 2 images")

    def test_layers_that_are_compressed_otherwise_are_kept(self, world: World, tmp_path: Path) -> None:
        layout = Layout()
        layers = [
            layout.blob(b"\x28\xb5\x2f\xfd" + noise("zstd"), f"{OCI_GZIP[:-4]}zstd"),
            layout.blob(lzma.compress(ONE.layers[0]), "x/xz"),
        ]
        body = layout.manifest(OCI_IMAGE, config=layout.blob(b"{}", OCI_CONFIG), layers=layers)
        content = tarred(layout.rooted(described(body, OCI_IMAGE)))
        assert push(world, content).body == body
        world.registry.blobs.clear()
        assert [each.body for each in push_file(world, file(tmp_path, content), "2")] == [body]
        assert sorted(world.registry.blobs[APP]) == sorted([*(str(each["digest"]) for each in layers), sha256(b"{}")])
