"""What `manifest.json` of a docker-archive says, and what of it is refused."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devreg.model.archive_json import SMALL
from devreg.model.docker_archive import ArchivedImage, images, inside
from devreg.model.errors import ArchiveUnusable
from devreg.model.wire import digest_of

A, B = (f"sha256:{letter * 64}" for letter in "ab")
CONFIG = json.dumps({"rootfs": {"type": "layers", "diff_ids": [A, B]}}).encode()
ENTRY: dict[str, object] = {"Config": "c.json", "RepoTags": ["app:1", "app:2"], "Layers": ["a/layer.tar", "./b.tar"]}
FOREIGN = {"mediaType": "foreign", "digest": B, "size": 7, "urls": ["https://a.example/b"]}


def read(*entries: object, config: bytes | None = CONFIG) -> tuple[ArchivedImage, ...]:
    return images(json.dumps(entries).encode(), {"c.json": config}.get)


def test_an_image_is_read() -> None:
    (image,) = read(ENTRY)
    assert (image.names, image.layers, image.diff_ids) == (("app:1", "app:2"), ("a/layer.tar", "b.tar"), (A, B))
    assert (image.id, image.config, image.elsewhere) == (digest_of(CONFIG), CONFIG, {})


@pytest.mark.parametrize("names", [None, []])
def test_an_image_without_a_name(names: object) -> None:
    assert read(ENTRY | {"RepoTags": names})[0].names == ()


def test_an_image_without_layers() -> None:
    for rootfs in (b'{"diff_ids": null}', b'{"diff_ids": []}', b"{}"):
        (image,) = read(ENTRY | {"Layers": None}, config=b'{"rootfs": %s}' % rootfs)
        assert (image.layers, image.diff_ids) == ((), ())


def test_several_images() -> None:
    assert [each.names for each in read(ENTRY, ENTRY | {"RepoTags": ["b:1"]})] == [("app:1", "app:2"), ("b:1",)]


def test_a_layer_that_is_there_twice() -> None:
    config = json.dumps({"rootfs": {"diff_ids": [A, A]}}).encode()
    assert read(ENTRY, config=config)[0].diff_ids == (A, A)


def test_layers_from_elsewhere_are_those_with_urls() -> None:
    here = {"mediaType": "layer", "digest": A, "size": 7}
    (image,) = read(ENTRY | {"LayerSources": {A: here, B: FOREIGN}})
    assert image.elsewhere == {B: FOREIGN}


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (None, "an entry of manifest.json is not a JSON object"),
        ([], "an entry of manifest.json is not a JSON object"),
        ({}, "a config in manifest.json is not a text"),
        (ENTRY | {"Config": 1}, "a config in manifest.json is not a text"),
        (ENTRY | {"Config": ""}, "lies outside"),
        (ENTRY | {"Config": "../c.json"}, "lies outside"),
        (ENTRY | {"Config": "/etc/passwd"}, "lies outside"),
        (ENTRY | {"Config": "none.json"}, r"names the config none\.json, which is not there"),
        (ENTRY | {"Layers": "a"}, "Layers is not a list"),
        (ENTRY | {"Layers": [1, 2]}, "a layer's name is not a text"),
        (ENTRY | {"Layers": ["a", "../b"]}, "lies outside"),
        (ENTRY | {"Layers": ["a", "b\0c"]}, "lies outside"),
        (ENTRY | {"Layers": ["a"]}, "names 1 layers, and the config c.json has 2"),
        (ENTRY | {"Layers": ["a", "b", "c"]}, "names 3 layers, and the config c.json has 2"),
        (ENTRY | {"RepoTags": "app:1"}, "RepoTags is not a list"),
        (ENTRY | {"RepoTags": [None]}, "a name of an image is not a text"),
        (ENTRY | {"LayerSources": [1]}, "LayerSources is not a JSON object"),
        (ENTRY | {"LayerSources": {A: 1}}, "a layer's source is not a JSON object"),
        (ENTRY | {"LayerSources": {B: FOREIGN | {"urls": "https://b"}}}, "urls of a layer is not a list"),
        (ENTRY | {"LayerSources": {B: FOREIGN | {"urls": [1]}}}, "a layer's source is not a text"),
        (ENTRY | {"LayerSources": {B: FOREIGN | {"digest": "md5:1"}}}, "for the source of a layer"),
        (ENTRY | {"LayerSources": {B: FOREIGN | {"size": -1}}}, "for the source of a layer"),
        (ENTRY | {"LayerSources": {B: FOREIGN | {"size": True}}}, "for the source of a layer"),
        (ENTRY | {"LayerSources": {B: {"urls": ["https://b"]}}}, "a layer's source is not a text"),
    ],
)
def test_what_makes_no_sense_is_refused(entry: object, words: str) -> None:
    with pytest.raises(ArchiveUnusable, match=words):
        read(entry)


@pytest.mark.parametrize("manifest", [b"", b"{}", b"null", b"[]", b"1", b"[" * 100_000])
def test_a_manifest_that_names_nothing_is_refused(manifest: bytes) -> None:
    with pytest.raises(ArchiveUnusable, match=r"manifest\.json (names no image|is not a list|is not JSON)"):
        images(manifest, lambda _: CONFIG)


@pytest.mark.parametrize(
    "config",
    [
        b"",
        b"[]",
        b"null",
        b"{}",
        b'{"rootfs": []}',
        b'{"rootfs": null}',
        b'{"rootfs": {"diff_ids": {}}}',
        b'{"rootfs": {"diff_ids": [1, 2]}}',
        b'{"rootfs": {"diff_ids": ["a", "b"]}}',
        b'{"rootfs": {"diff_ids": ["sha256:ABC", "md5:1"]}}',
        b'{"rootfs":' * 50_000,
    ],
)
def test_a_config_that_makes_no_sense_is_refused(config: bytes) -> None:
    with pytest.raises(ArchiveUnusable, match=r"c\.json"):
        read(ENTRY, config=config)


def test_a_config_that_many_images_name_is_read_once() -> None:
    asked: list[str] = []

    def member(name: str) -> bytes:
        asked.append(name)
        return CONFIG

    assert len(images(json.dumps([ENTRY] * 1000).encode(), member)) == 1000
    assert asked == ["c.json"]


def test_configs_do_not_fill_the_memory() -> None:
    entries = [ENTRY | {"Config": f"{number}.json"} for number in range(100)]
    large = CONFIG + b" " * (SMALL - len(CONFIG))
    with pytest.raises(ArchiveUnusable, match="together"):
        images(json.dumps(entries).encode(), lambda _: large + b"")


@pytest.mark.parametrize(
    ("name", "plain"),
    [("a", "a"), ("./a", "a"), ("a/./b", "a/b"), ("a//b", "a/b"), ("a/../b", "b"), ("..a", "..a"), ("a/..b", "a/..b")],
)
def test_names_inside(name: str, plain: str) -> None:
    assert inside(name) == plain


@pytest.mark.parametrize("name", ["", ".", "..", "../a", "a/../..", "a/../../b", "/a", "//a", "/", "a\0"])
def test_names_outside(name: str) -> None:
    with pytest.raises(ArchiveUnusable, match="lies outside"):
        inside(name)


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just(A),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["Config", "Layers", "RepoTags", "LayerSources", "rootfs", "diff_ids"]), inner
        )
    ),
    max_leaves=12,
)


@given(anything, anything)
def test_whatever_is_in_it_is_read_or_refused(manifest: object, config: object) -> None:
    with suppress(ArchiveUnusable):
        images(json.dumps([manifest]).encode(), lambda _: json.dumps(config).encode())
