"""Manifests go last, and names last of all."""

import pytest

from devreg.direct.docker_image import in_memory
from devreg.direct.manifests import Raised, name, present, raise_root
from devreg.model.content import Content
from devreg.model.errors import RefusedOverwrite, UploadFailed
from devreg.model.manifest import OCI_IMAGE, OCI_INDEX, Descriptor
from devreg.model.oci_layout import Root, roots
from tests.unit.direct.built import Files, Layout, blob_path, described, image, multi_platform, sha256
from tests.unit.direct.world import APP, World


def root_of(files: Files) -> tuple[Root, dict[str, bytes]]:
    (root,) = roots(files["index.json"], lambda digest: files.get(blob_path(digest)))
    return root, {each.digest: files[blob_path(each.digest)] for each in root.blobs}


def raised(text: bytes) -> Raised:
    body = b'{"layers": [], "note": "%s"}' % text
    return Raised(Descriptor(OCI_IMAGE, sha256(body), len(body)), body)


class TestRaiseRoot:
    def test_children_come_before_what_names_them_and_the_root_has_no_name(self, world: World) -> None:
        files, index = multi_platform()
        root, blobs = root_of(files)
        made = raise_root(world.placer(), root, lambda blob: in_memory(blobs[blob.digest], blob.digest))
        assert made == Raised(Descriptor(OCI_INDEX, sha256(index), len(index)), index)
        assert len(world.registry.manifests) == 3
        assert sha256(index) not in [reference for _, reference in world.registry.manifests]
        assert world.named() == []

    def test_what_is_placed_is_not_opened(self, world: World) -> None:
        root, blobs = root_of(multi_platform()[0])
        placer = world.placer()
        raise_root(placer, root, lambda blob: in_memory(blobs[blob.digest], blob.digest))

        def refuse(blob: Descriptor) -> Content:
            raise AssertionError(blob)

        raise_root(placer, root, refuse)

    def test_a_blob_that_fails_keeps_manifests_back(self, world: World) -> None:
        root, blobs = root_of(multi_platform()[0])

        def content(blob: Descriptor) -> Content:
            if blob == root.blobs[-1]:
                raise UploadFailed("broken", hint="")
            return in_memory(blobs[blob.digest], blob.digest)

        with pytest.raises(UploadFailed, match="broken"):
            raise_root(world.placer(), root, content)
        assert world.registry.manifests == {}


class TestName:
    def test_a_name_is_given(self, world: World) -> None:
        assert name(world.placer(), raised(b"1"), "latest")
        assert world.registry.manifest_body(APP, "latest")[0] == raised(b"1").body
        assert present(world.placer(), "latest") == raised(b"1").descriptor.digest
        assert present(world.placer(), "other") is None

    @pytest.mark.parametrize("no_clobber", [True, False])
    def test_the_same_again_changes_nothing(self, world: World, no_clobber: bool) -> None:
        name(world.placer(), raised(b"1"), "latest")
        assert not name(world.placer(), raised(b"1"), "latest", no_clobber=no_clobber)

    def test_a_name_is_moved_unless_it_must_not(self, world: World) -> None:
        name(world.placer(), raised(b"1"), "latest")
        with pytest.raises(RefusedOverwrite, match=f"{APP}:latest is {raised(b'1').descriptor.digest} already"):
            name(world.placer(), raised(b"2"), "latest", no_clobber=True)
        assert present(world.placer(), "latest") == raised(b"1").descriptor.digest
        assert name(world.placer(), raised(b"2"), "latest")
        assert name(world.placer(), raised(b"2"), "new", no_clobber=True)

    def test_what_lacks_a_blob_gets_no_name(self, world: World) -> None:
        layout = Layout()
        body = layout.add(image("a"))
        root, _ = root_of(layout.rooted(described(body, OCI_IMAGE)))
        with pytest.raises(UploadFailed, match="BLOB_UNKNOWN"):
            name(world.placer(), Raised(root.descriptor, body), "latest")
        assert world.named() == []
