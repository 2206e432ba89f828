"""Where blobs are put: what is there is not sent, what was learned is kept, and failures teach nothing."""

from collections.abc import Callable

import pytest

from devreg.archives.content import Stored
from devreg.direct.docker_image import in_memory
from devreg.direct.placer import Blob, Meter, Placer
from devreg.model.content import Content
from devreg.model.errors import UploadFailed
from devreg.model.events import Event, Layer
from devreg.model.manifest import Descriptor
from devreg.model.results import Layers
from tests.unit.direct.built import DOCKER_CONFIG, DOCKER_LAYER, OCI_GZIP, noise, sha256
from tests.unit.direct.world import APP, HERE, World

CONTENT = noise("layer")
DIGEST, DIFF_ID = sha256(CONTENT), sha256(b"diff")
THERE = Descriptor(DOCKER_LAYER, DIGEST, len(CONTENT))


def blob(*candidates: Descriptor, name: str = DIFF_ID, key: str | None = None) -> Blob:
    return Blob(name, DOCKER_LAYER, len(CONTENT), candidates, key)


def content() -> Stored:
    return in_memory(CONTENT, DIGEST)


def untouched() -> Content:
    def refuse() -> object:
        raise AssertionError("it was read")

    return Stored(refuse, DIGEST, len(CONTENT), "it")  # type: ignore[arg-type]


def failing(error: Exception) -> Callable[[], None]:
    def check() -> None:
        raise error

    return check


def test_what_is_not_there_is_sent(world: World) -> None:
    placer = world.placer()
    assert placer.place(blob(), content()) == THERE
    assert world.registry.blobs[APP] == {DIGEST: CONTENT}
    assert placer.take_counts() == (Layers(sent=1), len(CONTENT))
    assert placer.take_counts() == (Layers(), 0)


def test_what_is_there_is_not_even_read(world: World) -> None:
    world.registry.blobs[APP] = {DIGEST: CONTENT}
    placer = world.placer()
    assert placer.place(blob(THERE), untouched()) == THERE
    assert placer.take_counts() == (Layers(existing=1), 0)


def test_an_empty_blob_that_is_there_is_there(world: World) -> None:
    empty = Descriptor(DOCKER_LAYER, sha256(b""), 0)
    world.registry.blobs[APP] = {empty.digest: b""}
    assert world.placer().place(blob(empty), untouched()) == empty


def test_the_registry_tells_the_size(world: World) -> None:
    world.registry.blobs[APP] = {DIGEST: CONTENT}
    assert world.placer().existing(blob(Descriptor(DOCKER_LAYER, DIGEST, 0))) == THERE


def test_what_was_placed_is_not_asked_for_again(world: World) -> None:
    placer = world.placer()
    placer.place(blob(), content())
    asked = list(world.registry.asked)
    assert placer.existing(blob()) == placer.place(blob(), untouched()) == THERE
    assert world.registry.asked == asked


def test_a_layer_and_its_bare_form_are_two_blobs(world: World) -> None:
    """A diffID is the digest of the bare layer."""
    placer = world.placer()
    placer.place(blob(name=DIFF_ID, key=f"{DIFF_ID} compressor"), content())
    assert not placer.is_placed(DIFF_ID)
    assert placer.existing(blob(name=DIFF_ID)) is None
    placer.place(blob(name=DIGEST), content())
    assert placer.is_placed(DIGEST)


def test_another_repository_lends_it(world: World) -> None:
    world.placer("other").place(blob(), content())
    placer = world.placer()
    assert placer.existing(blob(THERE), mount=False) is None
    assert placer.place(blob(THERE), untouched()) == THERE
    assert world.registry.mounted == [("other", DIGEST)]
    assert placer.take_counts() == (Layers(mounted=1), 0)
    assert world.cache.repositories(HERE, DIGEST) == (APP, "other")


def test_a_repository_that_has_lost_it_is_forgotten(world: World) -> None:
    world.placer("other").place(blob(), content())
    world.registry.blobs.clear()
    assert world.placer().existing(blob(THERE)) is None
    assert world.cache.repositories(HERE, DIGEST) == ()


def test_a_repository_that_is_gone_is_forgotten(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    world.placer("other").place(blob(), content())
    monkeypatch.setattr(world.registry, "mount", lambda *_: False)
    assert world.placer().existing(blob(THERE)) is None
    assert world.cache.repositories(HERE, DIGEST) == ()


def test_what_was_sent_is_known_to_every_registry(world: World) -> None:
    world.placer().place(blob(), content())
    assert world.placer("other").candidates(DIFF_ID, "x", [DOCKER_LAYER]) == (Descriptor("x", DIGEST, len(CONTENT)),)
    assert world.placer("other").candidates(DIFF_ID, "x", [OCI_GZIP]) == ()


def test_what_somebody_told_is_good_for_his_repository_only(world: World) -> None:
    world.registry.blobs[APP] = {DIGEST: CONTENT}
    placer = world.placer()
    placer.told(DIFF_ID, Descriptor(OCI_GZIP, DIGEST, len(CONTENT)))
    (candidate,) = placer.candidates(DIFF_ID, DOCKER_LAYER, [OCI_GZIP])
    assert placer.existing(blob(candidate)) == THERE
    assert world.cache.blobs(DIFF_ID) == ()
    assert world.cache.repositories(HERE, DIGEST) == (APP,)


def test_a_check_that_fails_teaches_nothing(world: World) -> None:
    placer = world.placer()
    with pytest.raises(KeyError):
        placer.place(blob(), content(), check=failing(KeyError()))
    assert world.cache.blobs(DIFF_ID) == ()
    assert placer.existing(blob()) is None
    assert placer.take_counts()[0] == Layers()


def test_an_upload_that_breaks_is_gone_on_with(world: World) -> None:
    def broken(_: Content) -> None:
        raise UploadFailed("it broke", hint="")

    world.registry.on_upload = broken
    with pytest.raises(UploadFailed):
        world.placer().place(blob(key="key"), content())
    world.registry.on_upload = lambda _: None
    world.placer().place(blob(key="key"), content())
    world.placer("other").place(blob(key="key"), content())
    url = f"http://{HERE}/v2/{APP}/blobs/uploads/1"
    assert world.registry.begun == [None, url, None]
    assert world.cache.open_upload(HERE, APP, "key") is None


class TestEvents:
    def hear(self, world: World, heard: list[Event]) -> tuple[Placer, Callable[[], list[Layer]]]:
        placer = world.placer(listener=heard.append)
        return placer, lambda: [each for each in heard if isinstance(each, Layer)]

    def test_each_way_has_its_words(self, world: World, heard: list[Event]) -> None:
        placer, layers = self.hear(world, heard)
        placer.place(blob(), content())
        assert [(each.status, each.done) for each in layers()] == [("Pushing", False), ("Pushed", True)]
        assert {each.id for each in layers()} == {DIFF_ID[7:19]}
        heard.clear()
        self.hear(world, heard)[0].place(blob(THERE), content())
        world.placer("other", heard.append).place(blob(THERE), content())
        assert [each.status for each in layers()] == ["Already there", f"Mounted from {APP}"]

    def test_a_source_that_is_compressed_is_counted_as_it_is_read(self, world: World, heard: list[Event]) -> None:
        placer, layers = self.hear(world, heard)
        meter = Meter()
        assert b"".join(meter.count([b"abc", b"d"])) == b"abcd"
        placer.place(blob(), content(), meter)
        assert next((each.status, each.current) for each in layers()) == ("Compressing", 4)

    def test_a_meter_starts_again_with_its_source(self) -> None:
        meter = Meter()
        list(meter.count([b"abc"]))
        list(meter.count([b"a"]))
        assert meter.bytes == 1

    def test_configs_are_silent(self, world: World, heard: list[Event]) -> None:
        placer, layers = self.hear(world, heard)
        placer.place(Blob(DIGEST, DOCKER_CONFIG, len(CONTENT)), content())
        assert layers() == []
        assert placer.take_counts() == (Layers(), len(CONTENT))


def test_many_threads_count_right(world: World) -> None:
    from concurrent.futures import ThreadPoolExecutor

    placer = world.placer()
    bodies = [noise(str(number), 500) for number in range(40)]
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda body: placer.place(blob(name=sha256(body)), in_memory(body, sha256(body))), bodies))
    assert placer.take_counts() == (Layers(sent=40), 20_000)
