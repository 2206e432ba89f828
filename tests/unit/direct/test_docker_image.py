"""Layers that are compressed on the way, and the manifest that is written for them."""

import gzip
import io
import json

import pytest

from devreg.archives.deflate import compressor_name
from devreg.archives.shelf import Shelved
from devreg.direct.docker_image import (
    finish,
    layer_blob,
    place_config,
    place_layer,
    place_member,
    raise_missing,
    small_member,
)
from devreg.model.content import Content, Spent
from devreg.model.docker_archive import ArchivedImage
from devreg.model.errors import ArchiveUnusable, UploadFailed
from devreg.model.manifest import DOCKER_IMAGE, Descriptor
from tests.unit.direct.built import DOCKER_CONFIG, DOCKER_LAYER, OCI_GZIP, described, image, noise, sha256
from tests.unit.direct.world import APP, World

ONE = image("a", "b")
LAYER, DIFF_ID = ONE.layers[0], ONE.diff_ids[0]


def archived(elsewhere: dict[str, object] | None = None) -> ArchivedImage:
    """The image, its first layer perhaps being had from elsewhere."""
    found = {DIFF_ID: elsewhere} if elsewhere else {}
    return ArchivedImage((), ONE.config, ONE.diff_ids, ("a.tar", "b.tar"), found)


class TestPlaceLayer:
    def test_it_goes_up_compressed(self, world: World) -> None:
        placer = world.placer()
        there = place_layer(placer, layer_blob(placer, DIFF_ID, len(LAYER)), iter([LAYER[:700], LAYER[700:]]))
        blob = world.registry.blobs[APP][there.digest]
        assert isinstance(blob, bytes)
        assert (there.media_type, there.size, gzip.decompress(blob)) == (DOCKER_LAYER, len(blob), LAYER)
        assert world.cache.blobs(DIFF_ID) == (there,)

    def test_what_is_another_is_refused_and_not_remembered(self, world: World) -> None:
        placer = world.placer()
        with pytest.raises(ArchiveUnusable, match=f"what should be the layer {DIFF_ID} is {sha256(b'other')}"):
            place_layer(placer, layer_blob(placer, DIFF_ID, 0), iter([b"other"]))
        assert world.cache.blobs(DIFF_ID) == ()

    def test_a_source_that_comes_once_is_spent_after_a_while(self, world: World) -> None:
        def read_twice(content: Content) -> None:
            for _ in content.read(0):
                pass

        world.registry.on_upload = read_twice
        placer, large = world.placer(), noise("large", 40 * 2**20)
        blob = layer_blob(placer, sha256(large), 0)
        with pytest.raises(Spent):
            place_layer(placer, blob, iter([large]))
        place_layer(placer, blob, iter([large]), lambda: iter([large]))

    def test_what_others_have_made_of_it_will_do(self, world: World) -> None:
        made = Descriptor(OCI_GZIP, sha256(b"gzip"), 4)
        world.registry.blobs[APP] = {made.digest: b"gzip"}
        placer = world.placer()
        placer.told(DIFF_ID, made)
        placer.told(DIFF_ID, Descriptor("application/vnd.oci.image.layer.v1.tar+zstd", sha256(b"zstd"), 4))
        blob = layer_blob(placer, DIFF_ID, 0)
        assert blob.candidates == (Descriptor(DOCKER_LAYER, made.digest, 4),)
        assert place_layer(placer, blob, iter(())) == blob.candidates[0]

    def test_an_upload_is_gone_on_with_by_the_same_compressor_only(self, world: World) -> None:
        assert layer_blob(world.placer(), DIFF_ID, 0).key == f"{DIFF_ID} {compressor_name()}"


class TestPlaceMember:
    def test_a_bare_one_is_compressed(self, world: World) -> None:
        there = place_member(world.placer(), DIFF_ID, small_member(LAYER, "a.tar"))
        assert gzip.decompress(world.registry.blobs[APP][there.digest]) == LAYER  # type: ignore[arg-type]

    def test_a_compressed_one_is_kept(self, world: World) -> None:
        content = gzip.compress(LAYER)
        there = place_member(world.placer(), DIFF_ID, small_member(content, "a.tar.gz"))
        assert there == Descriptor(DOCKER_LAYER, sha256(content), len(content))
        assert world.registry.blobs[APP] == {there.digest: content}
        assert world.cache.blobs(DIFF_ID) == (there,)

    def test_a_compressed_one_that_is_there_is_not_sent(self, world: World) -> None:
        content = gzip.compress(LAYER)
        world.registry.blobs[APP] = {sha256(content): content}
        place_member(world.placer(), DIFF_ID, small_member(content, "a.tar.gz"))
        assert world.registry.sent == []

    def test_a_compressed_one_that_is_another_is_refused(self, world: World) -> None:
        member = small_member(gzip.compress(b"other"), "a.tar.gz")
        with pytest.raises(ArchiveUnusable, match=f"what should be the layer {DIFF_ID} is {sha256(b'other')}"):
            place_member(world.placer(), DIFF_ID, member)
        assert world.registry.sent == []

    def test_one_that_cannot_be_read_is_named(self, world: World) -> None:
        def refuse() -> io.BytesIO:
            raise PermissionError(13, "Permission denied")

        for first in (None, LAYER[:512], gzip.compress(LAYER)[:512]):
            with pytest.raises(ArchiveUnusable, match=r"a\.tar cannot be read: Permission denied"):
                place_member(world.placer(), DIFF_ID, Shelved("a.tar", len(LAYER), refuse, first))


class TestRaiseMissing:
    def test_layers_keep_their_order_however_they_come(self, world: World) -> None:
        known = {ONE.diff_ids[1]: Descriptor(DOCKER_LAYER, sha256(b"known"), 5)}
        world.registry.blobs[APP] = {sha256(b"known"): b"known"}
        placer, placed = world.placer(), []

        def place(diff_id: str) -> Descriptor:
            placed.append(diff_id)
            return place_member(placer, diff_id, small_member(LAYER, "a.tar"))

        raised = raise_missing(placer, archived(), known, place)
        manifest = json.loads(raised.body)
        assert placed == [ONE.diff_ids[0]]
        assert manifest["layers"][1]["digest"] == sha256(b"known")
        assert (manifest["config"]["digest"], manifest["config"]["mediaType"]) == (ONE.id, DOCKER_CONFIG)
        assert (raised.descriptor.digest, raised.descriptor.media_type) == (sha256(raised.body), DOCKER_IMAGE)

    def test_a_failure_keeps_the_config_back(self, world: World) -> None:
        def place(_diff_id: str) -> Descriptor:
            raise UploadFailed("broken", hint="")

        with pytest.raises(UploadFailed, match="broken"):
            raise_missing(world.placer(), archived(), {}, place)
        assert world.registry.sent == []

    def test_layers_from_elsewhere_are_named_and_not_placed(self, world: World) -> None:
        source = described(b"foreign", "x/foreign", urls=["https://a.example/b"])
        there = Descriptor(DOCKER_LAYER, sha256(b"there"), 5)
        raised = raise_missing(world.placer(), archived(source), {}, lambda _: there)
        assert [each["digest"] for each in json.loads(raised.body)["layers"]] == [source["digest"], there.digest]


def test_a_config_is_sent_once(world: World) -> None:
    placer = world.placer()
    for _ in range(2):
        assert place_config(placer, ONE.config) == Descriptor(DOCKER_CONFIG, ONE.id, len(ONE.config))
    place_config(world.placer(), ONE.config)
    assert world.registry.sent == [ONE.id]


def test_the_manifest_is_the_same_on_every_machine(world: World) -> None:
    layers = [Descriptor(DOCKER_LAYER, sha256(each), len(each)) for each in (b"a", b"b")]
    digests = {finish(world.placer(each), archived(), layers).descriptor.digest for each in ("one", "other")}
    assert len(digests) == 1
