"""An image that a repository has already."""

import json

import pytest

from devreg.direct.manifests import Raised
from devreg.direct.there import refuse_clobber, there
from devreg.model.errors import RefusedOverwrite, RegistryUnreachable
from devreg.model.manifest import OCI_IMAGE, OCI_INDEX, Descriptor
from tests.unit.direct.built import image, multi_platform, sha256
from tests.unit.direct.test_known import ONE, up
from tests.unit.direct.world import APP, HERE, World


def up_index(world: World) -> Raised:
    """An index with its children is there."""
    files, index = multi_platform()
    blobs = {sha256(content): content for path, content in files.items() if path.startswith("blobs/")}
    world.registry.blobs[APP] = dict(blobs)
    for child in json.loads(index)["manifests"]:
        world.registry.put_manifest(APP, child["digest"], blobs[child["digest"]], OCI_IMAGE)
    world.registry.put_manifest(APP, "1", index, OCI_INDEX)
    return Raised(Descriptor(OCI_INDEX, sha256(index), len(index)), index)


class TestThere:
    def test_under_its_tag(self, world: World) -> None:
        raised = up(world)
        assert there(world.placer(), ("0", "1"), ONE.id) == raised

    def test_by_the_digest_of_an_earlier_push(self, world: World) -> None:
        raised = up(world)
        assert there(world.placer(), ("2",), ONE.id) is None
        world.cache.learn_manifest(HERE, APP, ONE.id, raised.descriptor.digest)
        assert there(world.placer(), ("2",), ONE.id) == raised
        assert there(world.placer("other"), ("2",), ONE.id) is None

    def test_an_index_by_its_own_digest(self, world: World) -> None:
        raised = up_index(world)
        assert there(world.placer(), ("1",), raised.descriptor.digest) == raised

    def test_another_image_under_the_tag(self, world: World) -> None:
        up(world, image("other"))
        assert there(world.placer(), ("1",), ONE.id) is None

    @pytest.mark.parametrize("lost", range(3))
    def test_a_blob_was_lost(self, world: World, lost: int) -> None:
        up(world)
        blobs = world.registry.blobs[APP]
        needed = [digest for digest, content in blobs.items() if b'"schemaVersion"' not in content]  # type: ignore[operator]
        del blobs[needed[lost]]
        assert there(world.placer(), ("1",), ONE.id) is None

    @pytest.mark.parametrize("at", range(3))
    def test_a_child_or_its_blob_was_lost(self, world: World, at: int) -> None:
        """The last one is an attestation."""
        raised = up_index(world)
        digest = raised.descriptor.digest
        child = json.loads(raised.body)["manifests"][at]["digest"]
        kept = world.registry.manifests.pop((APP, child))
        assert there(world.placer(), ("1",), digest) is None
        world.registry.manifests[APP, child] = kept
        assert there(world.placer(), ("1",), digest) == raised
        del world.registry.blobs[APP][json.loads(kept[0])["layers"][0]["digest"]]
        assert there(world.placer(), ("1",), digest) is None

    @pytest.mark.parametrize("body", [b"no JSON", b"{}", b'{"manifests": [], "layers": []}', b"[" * 100_000])
    def test_something_strange_under_the_tag(self, world: World, body: bytes) -> None:
        world.registry.manifests[APP, "1"] = body, "application/vnd.strange+json"
        assert there(world.placer(), ("1",), ONE.id) is None

    def test_a_registry_that_does_not_answer_is_told(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: str) -> None:
            raise RegistryUnreachable("gone", hint="")

        monkeypatch.setattr(world.registry, "manifest_body", refuse)
        with pytest.raises(RegistryUnreachable, match="gone"):
            there(world.placer(), ("1",), ONE.id)


class TestRefuseClobber:
    def test_a_new_tag_and_the_same_image(self, world: World) -> None:
        up(world)
        refuse_clobber(world.placer(), ("1", "new"), ONE.id)
        refuse_clobber(world.placer("other"), ("1",), ONE.id)

    def test_another_image(self, world: World) -> None:
        up(world, image("other"))
        with pytest.raises(RefusedOverwrite, match=f"{APP}:1 is sha256:"):
            refuse_clobber(world.placer(), ("new", "1"), ONE.id)

    def test_something_strange(self, world: World) -> None:
        world.registry.manifests[APP, "1"] = b"{}", "application/vnd.strange+json"
        with pytest.raises(RefusedOverwrite):
            refuse_clobber(world.placer(), ("1",), ONE.id)
