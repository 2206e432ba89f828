from __future__ import annotations

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devreg.model import manifest as m
from devreg.model.errors import DevregError, RegistryUnreachable

DIGEST = "sha256:" + "a" * 64
CONFIG = {"mediaType": "application/vnd.oci.image.config.v1+json", "digest": DIGEST, "size": 10}
LAYER = {"mediaType": "application/vnd.oci.image.layer.v1.tar+gzip", "digest": DIGEST, "size": 100}
IMAGE: dict[str, Any] = {"schemaVersion": 2, "config": CONFIG, "layers": [LAYER, LAYER]}


def parse(content: object, media_type: str = "") -> m.Manifest:
    return m.parse_manifest(json.dumps(content).encode(), media_type=media_type, digest=DIGEST)


def child(**platform: str) -> dict[str, Any]:
    return {"mediaType": m.OCI_IMAGE, "digest": DIGEST, "size": 5, "platform": platform}


def test_an_image() -> None:
    manifest = parse(IMAGE, m.OCI_IMAGE)
    assert (manifest.kind, manifest.media_type, manifest.digest) == ("image", m.OCI_IMAGE, DIGEST)
    assert manifest.size == len(json.dumps(IMAGE))
    assert manifest.config == m.Descriptor(CONFIG["mediaType"], DIGEST, 10)  # type: ignore[arg-type]
    assert manifest.content_size == 210
    assert (manifest.children, manifest.platforms) == ((), ())


def test_an_index_without_its_attestations() -> None:
    attestation = {
        **child(os="linux", architecture="amd64"),
        "annotations": {"vnd.docker.reference.type": "attestation-manifest"},
    }
    children = [
        child(os="linux", architecture="amd64"),
        child(os="linux", architecture="arm64", variant="v8"),
        child(os="linux", architecture="amd64"),
        child(os="unknown", architecture="unknown"),
        attestation,
    ]
    manifest = parse({"manifests": children}, m.DOCKER_LIST)
    assert (manifest.kind, len(manifest.children), manifest.content_size) == ("index", 2, None)  # one is there twice
    assert [each.platform for each in manifest.attestations] == ["unknown/unknown", "linux/amd64"]
    assert manifest.platforms == ("linux/amd64", "linux/arm64/v8")


@pytest.mark.parametrize(
    "platform", [None, {}, {"os": "linux"}, {"os": 1, "architecture": "x"}, {"os": "a\n", "architecture": "x"}]
)
def test_a_platform_that_is_none(platform: object) -> None:
    manifest = parse({"manifests": [{**child(), "platform": platform}]}, m.OCI_INDEX)
    assert manifest.platforms == ()


@pytest.mark.parametrize(
    ("content", "media_type", "kind", "is_type"),
    [
        (IMAGE, "application/json", "image", m.OCI_IMAGE),
        ({**IMAGE, "mediaType": m.DOCKER_IMAGE}, "text/plain", "image", m.DOCKER_IMAGE),
        (IMAGE, f"{m.OCI_IMAGE}; charset=utf-8", "image", m.OCI_IMAGE),
        ({"manifests": []}, "", "index", m.OCI_INDEX),
        ({"manifests": None}, m.OCI_INDEX, "index", m.OCI_INDEX),
        ({"schemaVersion": 1, "fsLayers": []}, "application/json", "schema1", m.DOCKER_SCHEMA1),
        ({}, m.DOCKER_SCHEMA1_SIGNED, "schema1", m.DOCKER_SCHEMA1_SIGNED),
        ({"blobs": [LAYER]}, m.OCI_ARTIFACT, "artifact", m.OCI_ARTIFACT),
        ({**IMAGE, "artifactType": "application/x"}, "", "artifact", m.OCI_IMAGE),
        (
            {**IMAGE, "config": {**CONFIG, "mediaType": "application/vnd.cncf.helm.config.v1+json"}},
            "",
            "artifact",
            m.OCI_IMAGE,
        ),
    ],
)
def test_kinds(content: object, media_type: str, kind: str, is_type: str) -> None:
    manifest = parse(content, media_type)
    assert (manifest.kind, manifest.media_type) == (kind, is_type)


@pytest.mark.parametrize(("told", "kind"), [("application/x", "application/x"), (None, None), (1, None), ([], None)])
def test_what_kind_of_artifact_an_index_points_to(told: object, kind: str | None) -> None:
    (child_of,) = parse({"manifests": [{**child(), "artifactType": told}]}, m.OCI_INDEX).children
    assert child_of.artifact_type == kind


def test_an_artifact_has_a_size_too() -> None:
    assert parse({"blobs": [LAYER]}, m.OCI_ARTIFACT).content_size == 100


@pytest.mark.parametrize(
    "content",
    [
        None,
        [],
        "x",
        {},
        {"mediaType": ["x"]},
        {**IMAGE, "manifests": []},
        {**IMAGE, "config": None},
        {**IMAGE, "config": []},
        {**IMAGE, "layers": {}},
        {**IMAGE, "layers": [None]},
        {**IMAGE, "layers": [{}]},
        *({**IMAGE, "layers": [{**LAYER, "size": size}]} for size in (-1, 1.5, "1", None, True, 2**63)),
        *(
            {**IMAGE, "layers": [{**LAYER, "digest": digest}]}
            for digest in (None, 1, "", "sha256:", "sha256:../../x", DIGEST + "a")
        ),
        *({**IMAGE, "layers": [{**LAYER, "mediaType": kind}]} for kind in (None, 1, "a\x1b[2J")),
        {"manifests": [{**child(), "platform": []}]},
        {"manifests": [{**child(), "annotations": []}, {**child(), "annotations": [1]}]},
    ],
)
def test_what_is_no_manifest(content: object) -> None:
    with pytest.raises(RegistryUnreachable, match="unusable answer"):
        parse(content)


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"\xff", b"[" * 100_000, b'{"size": ' + b"1" * 10_000 + b"}", b'{"a": NaN}']
)
def test_what_is_not_even_json(body: bytes) -> None:
    with pytest.raises(RegistryUnreachable):
        m.parse_manifest(body, media_type="", digest=DIGEST)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.sampled_from([DIGEST, m.OCI_INDEX]),
    lambda inner: (
        st.lists(inner)
        | st.dictionaries(
            st.sampled_from(
                [
                    "config",
                    "layers",
                    "manifests",
                    "blobs",
                    "digest",
                    "size",
                    "mediaType",
                    "platform",
                    "os",
                    "architecture",
                    "annotations",
                    "schemaVersion",
                ]
            ),
            inner,
        )
    ),
)


@given(json_values, st.sampled_from(["", *m.ACCEPTED, m.OCI_ARTIFACT]))
def test_anything_ends_as_a_manifest_or_as_an_error_of_devreg(content: object, media_type: str) -> None:
    with suppress(DevregError):
        parse(content, media_type)


@pytest.mark.parametrize(
    ("content", "header", "kind"),
    [
        ({"mediaType": m.OCI_INDEX, "manifests": []}, m.OCI_ARTIFACT, "index"),
        ({"manifests": []}, m.OCI_ARTIFACT, "index"),
        ({"manifests": []}, m.OCI_IMAGE, "index"),
        ({"manifests": []}, m.DOCKER_LIST, "index"),
        ({"mediaType": m.OCI_ARTIFACT, "blobs": []}, m.OCI_INDEX, "artifact"),
        ({"schemaVersion": 1}, m.OCI_INDEX, "schema1"),
    ],
)
def test_a_manifest_is_the_same_whichever_registry_it_came_from(
    content: dict[str, object], header: str, kind: str
) -> None:
    """What was kept of one is read for another: a header alone must not make an index look empty."""
    assert m.parse_manifest(json.dumps(content).encode(), media_type=header, digest="").kind == kind
