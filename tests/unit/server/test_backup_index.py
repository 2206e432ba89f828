"""The index of a backup: written, read, and refused where its names would lead elsewhere."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from devreg.model.errors import ArchiveUnusable
from devreg.server.backup_index import Index, Repository, layers, links, loads, needs

A, B, C = (f"sha256:{letter * 64}" for letter in "abc")
INDEX = Index("2024-01-02T03:04:05Z", {"team/app": Repository({"1": A}, [A])}, {A: 3, B: 4}, (C,))


def test_what_is_written_is_read() -> None:
    assert loads(INDEX.dumps()) == INDEX
    told = INDEX.told("alice:x\n")
    assert (told.repositories, told.tags, told.manifests, told.blobs, told.size) == (1, 1, 1, 2, 7)
    assert (told.users, told.missing) == (("alice",), (C,))


def _renamed(name: str) -> Callable[[Any], Any]:
    return lambda plain: {**plain, "repositories": {name: plain["repositories"]["team/app"]}}


@pytest.mark.parametrize(
    "change",
    [
        lambda plain: {**plain, "schema": "other"},
        lambda _plain: [],
        _renamed("../../etc"),
        _renamed("/etc"),
        _renamed("a/../b"),
        _renamed("A"),
        lambda plain: {**plain, "blobs": {"sha256:../../x": 1}},
        lambda plain: {**plain, "blobs": {A: "much"}},
        lambda plain: {**plain, "repositories": {"app": {"tags": {"../x": A}, "manifests": []}}},
        lambda plain: {**plain, "repositories": {"app": {"tags": {}, "manifests": [7]}}},
        lambda plain: {**plain, "missing": None},
    ],
)
def test_an_index_that_is_none_is_refused(change: Callable[[Any], Any]) -> None:
    with pytest.raises(ArchiveUnusable, match="its index cannot be read"):
        loads(json.dumps(change(json.loads(INDEX.dumps()))).encode())


def test_what_a_manifest_needs() -> None:
    image = {"config": {"digest": A}, "layers": [{"digest": B}, {"digest": C, "urls": ["https://a.example"]}]}
    assert list(needs(json.dumps(image).encode())) == [A, B]
    assert list(needs(json.dumps({"manifests": [{"digest": A}, {"digest": "x"}, 7]}).encode())) == [A]
    assert list(needs(json.dumps({"fsLayers": [{"blobSum": C}]}).encode())) == [C]
    assert list(needs(b"no json")) == list(needs(b"[]")) == []
    assert list(layers(json.dumps({"manifests": [{"digest": A}], "layers": [{"digest": B}]}).encode(), {A})) == [B]


def test_links_come_in_the_order_of_a_push() -> None:
    paths = [path.partition("/team/app/")[2] for path, _ in links(INDEX, {A: (B,)})]
    hex = A.partition(":")[2]
    assert paths == [
        f"_layers/sha256/{B.partition(':')[2]}/link",
        f"_manifests/revisions/sha256/{hex}/link",
        f"_manifests/tags/1/index/sha256/{hex}/link",
        "_manifests/tags/1/current/link",
    ]
