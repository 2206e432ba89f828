"""Images of engines: from their export, whichever engine writes it, and from where they keep layers."""

import io
import json
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from devreg.archives.forward import Readable
from devreg.direct.engine_image import from_blobs, from_layers, from_store
from devreg.direct.known import known_layers
from devreg.direct.manifests import Raised, name
from devreg.host.layer_store import StoreChanged
from devreg.model.content import Content, Spent
from devreg.model.engine import LocalImage
from devreg.model.errors import ArchiveUnusable
from devreg.model.manifest import OCI_IMAGE, OCI_INDEX, Descriptor
from devreg.model.results import Layers
from tests.unit.direct.built import (
    EMPTY_TAR,
    Files,
    Image,
    Layout,
    as_json,
    blob_path,
    by_engine_20,
    by_engine_25,
    by_skopeo,
    described,
    image,
    links_of_engine_20,
    multi_platform,
    noise,
    sha256,
    tarred,
)
from tests.unit.direct.test_archive import ONE, TWICE, layers_up
from tests.unit.direct.test_piped import Pipe
from tests.unit.direct.world import APP, World
from tests.unit.host.test_layer_store import FIRST, SECOND, Store

ENGINES: dict[str, Callable[[Image], Files]] = {
    "engine 20": by_engine_20,
    "engine 25": by_engine_25,
    "podman": by_skopeo,
}
engines = pytest.mark.parametrize("write", ENGINES.values(), ids=ENGINES.keys())


@contextmanager
def export(content: bytes) -> Iterator[Readable]:
    stream = Pipe(content, 100_000)
    yield stream
    stream.close()


def local(one: Image) -> LocalImage:
    return LocalImage(one.id, one.diff_ids, sum(map(len, one.layers)))


def push(world: World, one: Image, files: Files, known: dict[str, Descriptor] | None = None) -> Raised:
    placer = world.placer()
    raised = from_layers(placer, local(one), known or {}, export(tarred(files, *links_of_engine_20(one))))
    name(placer, raised, "1")
    return raised


@pytest.fixture
def spooled(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What was copied to disk."""
    made: list[object] = []
    real = tempfile.NamedTemporaryFile

    def note(**arguments: str) -> object:
        made.append(arguments)
        return real(**arguments)  # type: ignore[call-overload]

    monkeypatch.setattr(tempfile, "NamedTemporaryFile", note)
    return made


class TestFromLayers:
    @engines
    @pytest.mark.parametrize("one", [ONE, TWICE, Image(())], ids=["three", "twice", "none"])
    def test_the_image_is_up_and_nothing_was_copied(
        self, world: World, spooled: list[object], write: Callable[[Image], Files], one: Image
    ) -> None:
        push(world, one, write(one))
        assert layers_up(world) == list(one.layers)
        assert len(world.registry.sent) == len(set(one.layers)) + 1
        assert spooled == []

    @engines
    def test_layers_that_are_known_are_passed_by(self, world: World, write: Callable[[Image], Files]) -> None:
        push(world, ONE, write(ONE))
        grown = Image((*ONE.layers, *image("new").layers))
        placer = world.placer()
        known = known_layers(placer, grown.diff_ids, ())
        assert len(known) == 3
        raised = from_layers(placer, local(grown), known, export(tarred(write(grown))))
        name(placer, raised, "1")
        assert placer.take_counts()[0] == Layers(sent=1, existing=3)
        assert layers_up(world) == list(grown.layers)

    def test_an_engine_that_names_its_layers_otherwise(self, world: World, spooled: list[object]) -> None:
        files = by_skopeo(ONE)
        (entry,) = json.loads(files["manifest.json"])
        for number, path in enumerate(entry["Layers"]):
            files[f"layer{number}"] = files.pop(path)
        entry["Layers"] = ["layer0", "layer1", "layer2"]
        files["manifest.json"] = as_json([entry])
        push(world, ONE, {"something else": noise("else"), **files})
        assert layers_up(world) == list(ONE.layers)
        assert len(spooled) == 4

    @engines
    def test_layers_that_are_tiny_are_layers_all_the_same(self, world: World, write: Callable[[Image], Files]) -> None:
        tiny = Image((EMPTY_TAR, tarred({"[slug].js": b"x"}), b""))
        push(world, tiny, write(tiny))
        assert layers_up(world) == list(tiny.layers)

    @engines
    def test_a_layer_that_is_another_is_refused(self, world: World, write: Callable[[Image], Files]) -> None:
        files = write(ONE)
        files[json.loads(files["manifest.json"])[0]["Layers"][1]] = image("evil").layers[0]
        with pytest.raises(ArchiveUnusable, match="what should be the layer"):
            push(world, ONE, files)
        assert world.named() == []

    @engines
    def test_a_layer_that_is_missing_is_named(self, world: World, write: Callable[[Image], Files]) -> None:
        files = write(ONE)
        lost = json.loads(files["manifest.json"])[0]["Layers"][1]
        del files[lost]
        with pytest.raises(ArchiveUnusable, match=f"the engine's export has no {lost}"):
            push(world, ONE, files)
        assert world.named() == []

    def test_another_image_is_refused(self, world: World) -> None:
        other = Image(ONE.layers, note="other")
        with pytest.raises(ArchiveUnusable, match=f"the engine exported {other.id} for {ONE.id}"):
            push(world, ONE, by_engine_25(other))

    @pytest.mark.parametrize("left", [1, 3000, 30_000])
    def test_an_export_that_breaks_off_is_refused(self, world: World, left: int) -> None:
        content = tarred(by_engine_25(ONE)).rstrip(b"\0")[:-left]
        placer = world.placer()
        with pytest.raises(ArchiveUnusable, match="the engine's export"):
            from_layers(placer, local(ONE), {}, export(content))

    def test_an_export_without_its_manifest(self, world: World) -> None:
        files = by_engine_25(ONE)
        del files["manifest.json"]
        with pytest.raises(ArchiveUnusable, match=r"has no manifest\.json"):
            push(world, ONE, files)

    def test_an_upload_that_needs_the_start_again_is_spent(self, world: World) -> None:
        def read_twice(content: Content) -> None:
            for _ in content.read(0):
                pass

        large = Image((noise("large", 40 * 2**20),))
        world.registry.on_upload = read_twice
        with pytest.raises(Spent):
            push(world, large, by_engine_25(large))

    def test_foreign_layers_are_named_not_sent(self, world: World) -> None:
        files, source = by_engine_25(ONE), described(b"foreign", "x/foreign", urls=["https://a.example/b"])
        (entry,) = json.loads(files["manifest.json"])
        entry["LayerSources"][ONE.diff_ids[1]] = source
        del files[blob_path(ONE.diff_ids[1])]
        raised = push(world, ONE, files | {"manifest.json": as_json([entry])})
        assert json.loads(raised.body)["layers"][1] == source


class TestFromStore:
    def test_the_image_is_up(self, world: World, tmp_path: Path) -> None:
        store = Store(tmp_path, FIRST, SECOND)
        stored = store.found()
        assert stored is not None
        placer = world.placer()
        raised = from_store(placer, LocalImage(store.image_id, store.diff_ids, 0), stored, {})
        name(placer, raised, "1")
        assert layers_up(world) == store.tars
        assert json.loads(raised.body)["config"]["digest"] == store.image_id

    def test_layers_that_are_known_are_not_read(self, world: World, tmp_path: Path) -> None:
        store = Store(tmp_path, FIRST, SECOND)
        stored = store.found()
        assert stored is not None
        image = LocalImage(store.image_id, store.diff_ids, 0)
        from_store(world.placer(), image, stored, {})
        placer = world.placer()
        known = known_layers(placer, store.diff_ids, ())
        (tmp_path / "overlay2").rename(tmp_path / "gone")
        from_store(placer, image, stored, known)
        world.forget()
        with pytest.raises(StoreChanged):
            from_store(world.placer("other/app"), image, stored, {})

    def test_a_file_that_was_changed_is_refused(self, world: World, tmp_path: Path) -> None:
        store = Store(tmp_path, FIRST)
        stored = store.found()
        assert stored is not None
        (tmp_path / "overlay2/cache0/diff/etc/passwd").write_bytes(b"evil")
        with pytest.raises(ArchiveUnusable, match=f"what should be the layer {store.diff_ids[0]}"):
            from_store(world.placer(), LocalImage(store.image_id, store.diff_ids, 0), stored, {})
        assert world.registry.manifests == {}


class TestFromBlobs:
    def push(self, world: World, files: Files, image_id: str) -> Raised:
        placer = world.placer()
        raised = from_blobs(placer, LocalImage(image_id, (), 0), export(tarred(files)))
        name(placer, raised, "1")
        return raised

    @pytest.mark.parametrize("form", ["image", "index"])
    def test_all_is_kept_as_it_is(self, world: World, spooled: list[object], form: str) -> None:
        layout = Layout()
        body = layout.add(ONE)
        files = layout.rooted(described(body, OCI_IMAGE))
        if form == "index":
            files, body = multi_platform()
        raised = self.push(world, files | {"manifest.json": b"[]"}, sha256(body))
        assert raised.body == body
        assert world.registry.manifest_body(APP, "1")[0] == body
        assert spooled == []

    def test_what_is_there_is_passed_by(self, world: World) -> None:
        files, index = multi_platform()
        self.push(world, files, sha256(index))
        before = list(world.registry.sent)
        self.push(world, files, sha256(index))
        assert world.registry.sent == before

    def test_one_platform_of_several(self, world: World) -> None:
        files, index = multi_platform(without=["linux/arm64", "unknown/unknown"])
        raised = self.push(world, files, sha256(index))
        assert (raised.descriptor.platform, raised.descriptor.media_type) == ("linux/amd64", OCI_IMAGE)
        assert layers_up(world) == list(image("base", "linux/amd64").layers)

    def test_two_platforms_of_three_are_refused(self, world: World) -> None:
        files, index = multi_platform(without=["unknown/unknown"])
        with pytest.raises(ArchiveUnusable, match="names unknown/unknown, which is not here"):
            self.push(world, files, sha256(index))
        assert world.named() == []

    def test_a_layer_that_is_missing_is_named(self, world: World) -> None:
        layout = Layout()
        body = layout.add(ONE)
        lost = json.loads(body)["layers"][1]["digest"]
        del layout.files[blob_path(lost)]
        with pytest.raises(ArchiveUnusable, match=f"the engine's export lacks {lost}"):
            self.push(world, layout.rooted(described(body, OCI_IMAGE)), sha256(body))

    def test_a_large_member_that_is_no_blob_is_refused(self, world: World) -> None:
        files, index = multi_platform()
        with pytest.raises(ArchiveUnusable, match="has odd, which is no blob"):
            self.push(world, {"odd": noise("odd"), **files}, sha256(index))

    @pytest.mark.parametrize("left", [1, 3000, 20_000])
    def test_an_export_that_breaks_off_is_refused(self, world: World, left: int) -> None:
        content = tarred(multi_platform()[0]).rstrip(b"\0")[:-left]
        with pytest.raises(ArchiveUnusable, match=r"the engine's export|is not JSON"):
            from_blobs(world.placer(), LocalImage(sha256(b""), (), 0), export(content))

    def test_blobs_of_several_roots(self, world: World) -> None:
        layout = Layout()
        bodies = [layout.add(image(each)) for each in "ab"]
        files = layout.rooted(*(described(body, OCI_IMAGE) for body in bodies))
        assert self.push(world, files, sha256(bodies[1])).body == bodies[1]

    def test_an_index_keeps_its_type(self, world: World) -> None:
        files, index = multi_platform()
        assert self.push(world, files, sha256(index)).descriptor.media_type == OCI_INDEX


def test_memory_stays_bounded_however_large_the_export(world: World) -> None:
    """A layer of 256 MiB from a stream that makes it as it is read."""
    import hashlib
    import tracemalloc

    from tests.unit.archives import hostile

    size, sha = 2**28, hashlib.sha256()
    for _ in range(size // 2**20):
        sha.update(bytes(2**20))
    one = f"sha256:{sha.hexdigest()}"
    config = as_json({"rootfs": {"diff_ids": [one]}})
    entry = {"Config": "c.json", "RepoTags": None, "Layers": [f"{one[7:]}.tar"]}
    parts: list[io.BytesIO | int] = [
        io.BytesIO(hostile.header(f"{one[7:]}.tar", size=size)),
        size,
        io.BytesIO(tarred({"c.json": config, "manifest.json": as_json([entry])})),
    ]

    class Made(io.RawIOBase):
        def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
            while parts:
                first = parts[0]
                count = min(first, len(buffer)) if isinstance(first, int) else first.readinto(buffer)
                if count:
                    if isinstance(first, int):
                        parts[0] = first - count
                    return count
                del parts[0]
            return 0

    @contextmanager
    def made() -> Iterator[Readable]:
        yield Made()

    world.registry.keeps = False
    tracemalloc.start()
    try:
        from_layers(world.placer(), LocalImage(sha256(config), (one,), size), {}, made())
        assert tracemalloc.get_traced_memory()[1] < 80 * 2**20
    finally:
        tracemalloc.stop()
    assert len(world.registry.sent) == 2
