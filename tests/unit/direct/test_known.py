"""What the registry has of an image already, without a look into the image."""

import json

import pytest

from devreg.direct.archive import images
from devreg.direct.docker_image import place_member, small_member
from devreg.direct.known import known_here, known_layers, learn, learn_pushed, whole
from devreg.direct.manifests import Raised, name
from devreg.model.errors import NotAuthorized, NotFound, RegistryUnreachable
from devreg.model.manifest import DOCKER_IMAGE, OCI_IMAGE, Descriptor
from devreg.model.results import Layers
from tests.unit.direct.built import (
    DOCKER_CONFIG,
    DOCKER_LAYER,
    Image,
    Layout,
    as_json,
    described,
    file,
    image,
    noise,
    sha256,
    tarred,
)
from tests.unit.direct.world import APP, HERE, World

ONE = image("base", "top")


def up(world: World, one: Image = ONE, *, tag: str = "1", repository: str = APP, form: str = OCI_IMAGE) -> Raised:
    """Another machine has pushed an image."""
    layout = Layout()
    body = layout.add(one, form=form)
    for path, content in layout.files.items():
        if path.startswith("blobs/"):
            world.registry.blobs.setdefault(repository, {})[sha256(content)] = content
    raised = Raised(Descriptor(form, sha256(body), len(body)), body)
    world.registry.put_manifest(repository, tag, body, form)
    return raised


class TestKnownLayers:
    def test_nothing_is_known_of_an_empty_repository(self, world: World) -> None:
        assert known_layers(world.placer(), ONE.diff_ids, ("1",)) == {}
        assert known_layers(world.placer(), (), ()) == {}

    @pytest.mark.parametrize("form", [OCI_IMAGE, DOCKER_IMAGE])
    def test_by_what_the_tags_say(self, world: World, form: str) -> None:
        up(world, form=form)
        placer = world.placer()
        found = known_layers(placer, (*ONE.diff_ids, sha256(b"new")), ())
        assert list(found) == list(ONE.diff_ids)
        assert {each.media_type for each in found.values()} == {DOCKER_LAYER}
        assert placer.take_counts() == (Layers(existing=2), 0)

    def test_by_what_earlier_pushes_learned(self, world: World) -> None:
        placer = world.placer()
        there = place_member(placer, ONE.diff_ids[0], small_member(ONE.layers[0], "a.tar"))
        world.registry.manifests.clear()
        assert known_layers(world.placer(), ONE.diff_ids, ()) == {ONE.diff_ids[0]: there}

    def test_in_other_repositories(self, world: World) -> None:
        place_member(world.placer("other"), ONE.diff_ids[0], small_member(ONE.layers[0], "a.tar"))
        assert known_here(world.placer(), ONE.diff_ids, ()) == {}
        assert world.registry.mounted == []
        assert list(known_layers(world.placer(), ONE.diff_ids, ())) == [ONE.diff_ids[0]]
        assert len(world.registry.mounted) == 1

    def test_a_blob_that_the_registry_has_lost_is_not_known(self, world: World) -> None:
        up(world)
        world.registry.blobs.clear()
        assert known_layers(world.placer(), ONE.diff_ids, ()) == {}

    def test_the_tags_asked_for_come_first(self, world: World) -> None:
        up(world, tag="0.1")
        for number in range(20):
            up(world, image(str(number)), tag=f"1.{number}")
        assert known_layers(world.placer(), ONE.diff_ids, ("0.2",)) == {}
        assert len(known_layers(world.placer(), ONE.diff_ids, ("0.1",))) == 2

    def test_tags_that_tell_nothing_do_no_harm(self, world: World) -> None:
        for number, config in enumerate(
            (b"{}", b'{"rootfs": 1}', b'{"rootfs": {"diff_ids": [1]}}', b'{"rootfs": {"diff_ids": []}}')
        ):
            world.registry.blobs.setdefault(APP, {})[sha256(config)] = config
            layer = described(noise("layer"), DOCKER_LAYER)
            world.registry.blobs[APP][str(layer["digest"])] = noise("layer")
            body = as_json({"config": described(config, DOCKER_CONFIG), "layers": [layer]})
            world.registry.put_manifest(APP, f"9.{number}", body, DOCKER_IMAGE)
        world.registry.manifests[APP, "9.9"] = b"no JSON", DOCKER_IMAGE
        world.registry.manifests[APP, "9.8"] = as_json({"manifests": []}), "application/vnd.oci.image.index.v1+json"
        up(world, tag="10")
        assert len(known_layers(world.placer(), ONE.diff_ids, ())) == 2

    @pytest.mark.parametrize("error", [NotAuthorized, RegistryUnreachable, NotFound])
    def test_a_registry_that_keeps_its_list_to_itself(
        self, world: World, error: type[NotFound], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(_repository: str) -> None:
            raise error("no", hint="")

        up(world)
        monkeypatch.setattr(world.registry, "tags", refuse)
        assert known_layers(world.placer(), ONE.diff_ids, ("1",)) == {}

    def test_a_registry_that_does_not_answer_is_told(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        def refuse(*_: str) -> None:
            raise RegistryUnreachable("gone", hint="")

        up(world)
        monkeypatch.setattr(world.registry, "has_blob", refuse)
        with pytest.raises(RegistryUnreachable, match="gone"):
            known_layers(world.placer(), ONE.diff_ids, ())


def test_tags_without_end_are_not_all_listed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    from itertools import count

    monkeypatch.setattr(world.registry, "tags", lambda _: (f"v{number}" for number in count()))
    learn(world.placer(), ())


class TestWhole:
    def test_a_whole_image_gets_its_manifest_without_a_byte(self, world: World) -> None:
        up(world, form=DOCKER_IMAGE)
        placer = world.placer()
        found = whole(placer, ONE.id, ONE.diff_ids, known_layers(placer, ONE.diff_ids, ()))
        assert found is not None
        manifest = json.loads(found.body)
        assert manifest["config"] == {"mediaType": DOCKER_CONFIG, "size": len(ONE.config), "digest": ONE.id}
        assert len(manifest["layers"]) == 2
        assert name(placer, found, "2")
        assert world.registry.sent == []

    def test_it_is_the_manifest_that_a_push_would_make(self, world: World, tmp_path: object) -> None:
        from pathlib import Path

        from tests.unit.direct.built import by_skopeo

        placer = world.placer()
        path = file(Path(str(tmp_path)), tarred(by_skopeo(ONE)))
        pushed = images(path)[0].raise_by(placer, ())
        again = world.placer()
        assert whole(again, ONE.id, ONE.diff_ids, known_layers(again, ONE.diff_ids, ())) == pushed

    def test_a_layer_or_the_config_is_missing(self, world: World) -> None:
        up(world)
        placer = world.placer()
        known = known_layers(placer, ONE.diff_ids, ())
        assert whole(placer, ONE.id, (*ONE.diff_ids, sha256(b"new")), known) is None
        assert whole(placer, sha256(b"other"), ONE.diff_ids, known) is None

    def test_the_config_may_be_mounted(self, world: World) -> None:
        up(world, repository="other")
        world.cache.learn(HERE, "other", [(None, Descriptor(DOCKER_CONFIG, ONE.id, len(ONE.config)))])
        assert whole(world.placer(), ONE.id, (), {}) is not None


def test_what_the_engine_pushed_is_learned(world: World) -> None:
    raised = up(world, form=DOCKER_IMAGE)
    learn_pushed(world.placer(), ONE.id, ONE.diff_ids, raised.descriptor.digest)
    assert world.cache.manifest(HERE, APP, ONE.id) == raised.descriptor.digest
    assert [len(world.cache.blobs(each)) for each in ONE.diff_ids] == [1, 1]
    assert world.cache.repositories(HERE, ONE.id) == (APP,)
