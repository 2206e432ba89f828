"""What an OCI layout holds: each root with all that it needs, and what of it is refused."""

import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devreg.model.archive_json import SMALL
from devreg.model.errors import ArchiveUnusable
from devreg.model.manifest import DOCKER_IMAGE, DOCKER_LIST, OCI_ARTIFACT, OCI_IMAGE, OCI_INDEX
from devreg.model.oci_layout import Root, complete, path, roots
from tests.unit.direct.built import (
    OCI_CONFIG,
    OCI_GZIP,
    Files,
    Json,
    Layout,
    as_json,
    blob_path,
    described,
    image,
    index_of,
    multi_platform,
    platform,
    sha256,
)


def read(files: Files) -> tuple[Root, ...]:
    return roots(files["index.json"], lambda digest: files.get(blob_path(digest)))


def test_where_blobs_lie() -> None:
    assert path("sha256:ab") == "blobs/sha256/ab"


@pytest.mark.parametrize("form", [OCI_IMAGE, DOCKER_IMAGE])
def test_an_image(form: str) -> None:
    layout, one = Layout(), image("a", "b")
    body = layout.add(one, form=form)
    (root,) = read(layout.rooted(described(body, form, name="app:1", platform=platform("linux/amd64"))))
    assert (root.names, root.absent) == (("app:1",), ())
    assert (root.descriptor.digest, root.descriptor.media_type, root.descriptor.size) == (sha256(body), form, len(body))
    assert root.descriptor.platform == "linux/amd64"
    assert [each.body for each in root.manifests] == [body]
    assert [each.digest for each in root.blobs][:1] == [one.id]
    assert len(root.blobs) == 3


def test_several_platforms_with_an_attestation() -> None:
    files, index = multi_platform()
    (root,) = read(files)
    assert root.manifests[-1].body == index
    assert [each.descriptor.platform for each in root.manifests] == [
        "linux/amd64",
        "linux/arm64",
        "unknown/unknown",
        None,
    ]
    assert len(root.blobs) == 2 + 3 + 2  # configs, layers of which one is shared, the attestation
    assert len({each.digest for each in root.blobs}) == len(root.blobs)
    assert complete(root) is root


def test_indexes_in_indexes_come_after_what_they_name() -> None:
    layout = Layout()
    inner = layout.index(described(layout.add(image("a")), OCI_IMAGE))
    other = layout.add(image("b"))
    outer = layout.index(described(inner, OCI_INDEX), described(other, OCI_IMAGE), described(inner, OCI_INDEX))
    (root,) = read(layout.rooted(described(outer, OCI_INDEX)))
    bodies = [each.body for each in root.manifests]
    assert bodies[1:] == [inner, other, outer]


def test_the_same_child_twice_counts_once() -> None:
    layout = Layout()
    body = layout.add(image("a"))
    index = layout.index(*[described(body, OCI_IMAGE)] * 1000)
    (root,) = read(layout.rooted(described(index, OCI_INDEX)))
    assert [each.body for each in root.manifests] == [body, index]


def test_the_same_root_under_several_names_is_one() -> None:
    layout = Layout()
    body, other = layout.add(image("a")), layout.add(image("b"))
    entries = [described(each, OCI_IMAGE, name=name) for each, name in ((body, "1"), (other, "2"), (body, "3"))]
    found = read(layout.rooted(*entries, entries[0], described(body, OCI_IMAGE)))
    assert [each.names for each in found] == [("1", "3"), ("2",)]


def test_containerds_name_goes_first() -> None:
    layout = Layout()
    notes = {"org.opencontainers.image.ref.name": "1", "io.containerd.image.name": "docker.io/library/app:1"}
    (root,) = read(layout.rooted(described(layout.add(image("a")), OCI_IMAGE) | {"annotations": notes}))
    assert root.names == ("docker.io/library/app:1",)


def test_layers_from_elsewhere_are_not_needed() -> None:
    layout = Layout()
    foreign = described(b"foreign", "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip", urls=["https://a"])
    (root,) = read(layout.rooted(described(layout.add(image("a"), foreign), OCI_IMAGE)))
    assert foreign["digest"] not in [each.digest for each in root.blobs]


def test_an_artifact_and_an_empty_blob() -> None:
    layout = Layout()
    empty = layout.blob(b"", "text/plain")
    artifact = layout.manifest(OCI_ARTIFACT, blobs=[layout.blob(b"sbom", "text/spdx"), empty])
    image_like = layout.manifest(
        OCI_IMAGE, config=layout.blob(b"{}", "application/vnd.oci.empty.v1+json"), layers=[empty]
    )
    first, second = read(layout.rooted(described(artifact, OCI_ARTIFACT), described(image_like, OCI_IMAGE)))
    assert [each.size for each in first.blobs] == [4, 0]
    assert [each.size for each in second.blobs] == [2, 0]


def test_sha512() -> None:
    import hashlib

    layout = Layout()
    layer = f"sha512:{hashlib.sha512(b'layer').hexdigest()}"
    body = layout.manifest(
        OCI_IMAGE,
        config=layout.blob(b"{}", OCI_CONFIG),
        layers=[{"mediaType": OCI_GZIP, "digest": layer, "size": 5}],
    )
    digest = f"sha512:{hashlib.sha512(body).hexdigest()}"
    layout.files[blob_path(digest)] = body
    (root,) = read(layout.rooted({"mediaType": OCI_IMAGE, "digest": digest, "size": len(body)}))
    assert (root.descriptor.digest, root.blobs[-1].digest) == (digest, layer)


def test_the_type_is_what_the_manifest_says_itself() -> None:
    layout = Layout()
    silent = as_json({"schemaVersion": 2, "config": layout.blob(b"{}", OCI_CONFIG), "layers": []})
    index = as_json({"schemaVersion": 2, "manifests": [layout.blob(silent, "")]})
    layout.blob(index, "")
    said = layout.manifest(DOCKER_LIST, manifests=[described(silent, "")])
    found = read(layout.rooted(described(silent, OCI_IMAGE), described(index, ""), described(said, OCI_INDEX)))
    assert [each.descriptor.media_type for each in found] == [OCI_IMAGE, OCI_INDEX, DOCKER_LIST]


class TestComplete:
    def test_the_one_platform_that_is_here(self) -> None:
        files, _ = multi_platform(without=["linux/arm64", "unknown/unknown"])
        (root,) = read(files)
        assert len(root.absent) == 2
        part = complete(root)
        assert (part.descriptor.platform, part.descriptor.media_type) == ("linux/amd64", OCI_IMAGE)
        assert (part.names, part.absent) == (("app:1",), ())
        assert [each.descriptor for each in part.manifests] == [part.descriptor]
        assert len(part.blobs) == 3

    def test_an_attestation_is_no_platform(self) -> None:
        (root,) = read(multi_platform(without=["linux/arm64"])[0])
        assert complete(root).descriptor.platform == "linux/amd64"

    def test_an_attestation_alone_is_missing(self) -> None:
        (root,) = read(multi_platform(without=["unknown/unknown"])[0])
        with pytest.raises(ArchiveUnusable, match="names unknown/unknown, which is not here"):
            complete(root)

    def test_none_is_here(self) -> None:
        (root,) = read(multi_platform(without=["linux/arm64", "linux/amd64"])[0])
        with pytest.raises(ArchiveUnusable, match="names linux/amd64, linux/arm64, which is not here"):
            complete(root)


def broken(change: Json, *, at: str = "layers") -> Files:
    """A layout whose image has a descriptor with this change, in its layers or in the index."""
    layout = Layout()
    layer = layout.blob(b"layer", OCI_GZIP)
    if at == "layers":
        body = layout.manifest(OCI_IMAGE, config=layout.blob(b"{}", OCI_CONFIG), layers=[layer | change])
        return layout.rooted(described(body, OCI_IMAGE))
    return layout.rooted(described(layout.add(image("a")), OCI_IMAGE) | change)


@pytest.mark.parametrize("at", ["layers", "index"])
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"digest": None}, "a digest is not a text"),
        ({"digest": "sha256:../../../etc/passwd"}, "is no digest"),
        ({"digest": f"sha256:{'A' * 64}"}, "is no digest"),
        ({"digest": f"md5:{'a' * 32}"}, "is no digest"),
        ({"digest": f"sha256:{'a' * 64}\n"}, "is no digest"),
        ({"size": None}, "missing or invalid"),
        ({"size": -1}, "missing or invalid"),
        ({"size": 1.5}, "missing or invalid"),
        ({"size": True}, "missing or invalid"),
        ({"size": 2**63}, "missing or invalid"),
        ({"mediaType": 1}, "a media type is not a text"),
    ],
)
def test_a_descriptor_that_makes_no_sense_is_refused(change: Json, at: str, words: str) -> None:
    with pytest.raises(ArchiveUnusable, match=words):
        read(broken(change, at=at))


@pytest.mark.parametrize("size", [0, 1, 2**40])
def test_a_size_that_lies_is_refused(size: int) -> None:
    with pytest.raises(ArchiveUnusable, match="is not what its digest and size say"):
        read(broken({"size": size}, at="index"))


def test_a_manifest_that_was_changed_is_refused() -> None:
    layout = Layout()
    body = layout.add(image("a"))
    layout.files[blob_path(sha256(body))] = body.replace(b"sha256", b"sha25\\u0036"[:6])
    with pytest.raises(ArchiveUnusable, match="is not what its digest and size say"):
        read(layout.rooted(described(body, OCI_IMAGE)))


def test_two_sizes_of_one_blob_are_refused() -> None:
    layout = Layout()
    layer = layout.blob(b"layer", OCI_GZIP)
    body = layout.manifest(OCI_IMAGE, config=layout.blob(b"{}", OCI_CONFIG), layers=[layer, layer | {"size": 6}])
    with pytest.raises(ArchiveUnusable, match="is said to have 5 bytes, and 6"):
        read(layout.rooted(described(body, OCI_IMAGE)))


def test_two_sizes_of_one_child_are_refused() -> None:
    layout = Layout()
    child = described(layout.add(image("a")), OCI_IMAGE)
    index = layout.index(child, child | {"size": 7})
    with pytest.raises(ArchiveUnusable, match="is not what its digest and size say"):
        read(layout.rooted(described(index, OCI_INDEX)))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "is not JSON"),
        (b"[]", "is not a JSON object"),
        (b"{}", "is no manifest"),
        (as_json({"schemaVersion": 1, "fsLayers": []}), "is no manifest"),
        (as_json({"manifests": [], "config": None}), "an image and an index at once"),
        (as_json({"manifests": [], "layers": []}), "an image and an index at once"),
        (as_json({"manifests": {}}), "manifests is not a list"),
        (as_json({"manifests": [1]}), "a descriptor is not a JSON object"),
        (as_json({"layers": [[]]}), "a descriptor is not a JSON object"),
        (as_json({"config": "a"}), "a descriptor is not a JSON object"),
        (as_json({"layers": [], "mediaType": "a\r\nX-Evil: 1"}), "is no media type"),
        (as_json({"layers": [], "mediaType": "é"}), "is no media type"),
        (b'{"layers":' + b"[" * 100_000, "is not JSON"),
    ],
)
def test_a_manifest_that_makes_no_sense_is_refused(content: bytes, words: str) -> None:
    layout = Layout()
    layout.blob(content, OCI_IMAGE)
    with pytest.raises(ArchiveUnusable, match=words):
        read(layout.rooted(described(content, OCI_IMAGE)))


@pytest.mark.parametrize(
    "index", [b"", b"[]", b"{}", b'{"manifests": []}', b'{"manifests": null}', b'{"manifests": 1}']
)
def test_an_index_that_names_nothing_is_refused(index: bytes) -> None:
    with pytest.raises(ArchiveUnusable, match=r"index\.json"):
        roots(index, lambda _: None)


@pytest.mark.parametrize("entry", [None, 1, [], {"annotations": 1}])
def test_an_entry_that_makes_no_sense_is_refused(entry: object) -> None:
    with pytest.raises(ArchiveUnusable):
        roots(as_json({"manifests": [entry]}), lambda _: None)


def test_a_root_that_is_missing_is_refused() -> None:
    body = Layout().add(image("a"))
    with pytest.raises(ArchiveUnusable, match=f"names {sha256(body)}, which is not there"):
        read({"index.json": index_of(described(body, OCI_IMAGE))})


def test_indexes_nested_without_end_are_refused() -> None:
    layout = Layout()
    body = layout.add(image("a"))
    for _ in range(8):
        body = layout.index(described(body, OCI_INDEX))
    read(layout.rooted(described(body, OCI_INDEX)))
    body = layout.index(described(body, OCI_INDEX))
    with pytest.raises(ArchiveUnusable, match="nested without end"):
        read(layout.rooted(described(body, OCI_INDEX)))


def test_manifests_do_not_fill_the_memory() -> None:
    layout = Layout()
    config = layout.blob(b"{}", OCI_CONFIG)
    bodies = [layout.manifest(OCI_IMAGE, config=config, note=f"{number}{' ' * (SMALL - 1000)}") for number in range(9)]
    with pytest.raises(ArchiveUnusable, match="together"):
        read(layout.rooted(*(described(body, OCI_IMAGE) for body in bodies)))


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5) | st.just(sha256(b"")),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["manifests", "config", "layers", "digest", "size", "mediaType", "urls", "platform", "annotations"]
            ),
            inner,
        )
    ),
    max_leaves=15,
)


@given(anything)
def test_whatever_is_in_it_is_read_or_refused(manifest: object) -> None:
    body = as_json(manifest)
    for index in (index_of(described(body, OCI_IMAGE)), as_json({"manifests": [manifest]})):
        with suppress(ArchiveUnusable):
            roots(index, {sha256(body): body}.get)


def test_json_is_only_read_never_written() -> None:
    """What is pushed is the very body: also one that Python would write otherwise."""
    layout = Layout()
    config = layout.blob(b"{}", OCI_CONFIG)
    body = b'{ "layers":[],  "config":' + json.dumps(config, separators=(",", ":")).encode() + b"\t}\n"
    layout.blob(body, OCI_IMAGE)
    (root,) = read(layout.rooted(described(body, OCI_IMAGE)))
    assert root.manifests[-1].body == body
