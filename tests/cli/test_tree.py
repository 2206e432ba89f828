"""`devreg tree`: the layers that tags share, and what each of them costs."""

from __future__ import annotations

import json
from typing import Any

import pytest

from devreg.model.manifest import OCI_IMAGE, OCI_INDEX
from tests.cli.conftest import Run, Serve
from tests.cli.test_inspect import CONFIG_TYPE, LAYER_TYPE, Shelf
from tests.http.server import Answer, Asked, error_answer, json_answer


class Repository(Shelf):
    """One that lists its tags."""

    def __call__(self, asked: Asked) -> Answer:
        if asked.path.endswith("/tags/list"):
            return json_answer({"tags": [name for name in self.manifests if not name.startswith("sha256:")]})
        return super().__call__(asked)

    def built(self, layers: str, arch: str = "amd64") -> dict[str, Any]:
        """An image of a layer of 1000 bytes for each letter."""
        config = {"os": "linux", "architecture": arch, "built": layers}
        body = json.dumps(config).encode()
        described = self.image(config, arch)
        described["size"] = len(body)
        entries = [{"mediaType": LAYER_TYPE, "size": 1000, "digest": f"sha256:{ord(each):064x}"} for each in layers]
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI_IMAGE,
            "config": {"mediaType": CONFIG_TYPE, "size": len(body), "digest": next(reversed(self.blobs))},
            "layers": entries,
        }
        return {**self.put(OCI_IMAGE, manifest), "platform": {"os": "linux", "architecture": arch}}


@pytest.fixture
def shelf(serve: Serve) -> Repository:
    shelf = Repository()
    serve(shelf)
    return shelf


def own(shelf: Repository, described: dict[str, Any]) -> int:
    """Bytes of an image's manifest and config."""
    manifest = shelf.manifests[described["digest"]][1]
    return len(manifest) + int(json.loads(manifest)["config"]["size"])


def test_what_tags_share_and_what_each_costs(run: Run, shelf: Repository) -> None:
    images = {name: shelf.built(layers) for name, layers in {"1": "abc", "2": "abd", "3": "x"}.items()}
    for name, described in images.items():
        shelf.tag(name, described)
    shelf.tag("latest", images["2"])
    found = run("tree", "app", "--json").data
    costs = {each["name"]: each for each in found["costs"]}
    assert list(costs) == sorted(costs)
    assert costs["1"]["size"] == 3000 + own(shelf, images["1"])
    assert costs["1"]["alone"] == 1000 + own(shelf, images["1"])
    assert costs["2"]["alone"] == costs["latest"]["alone"] == 0
    assert found["alone"][images["2"]["digest"]] == 1000 + own(shelf, images["2"])
    assert found["stored"] == 5000 + sum(own(shelf, each) for each in images.values())
    (wood,) = found["platforms"]
    assert wood["platform"] == "linux/amd64"
    base, other = wood["branches"]
    assert (len(base["layers"]), base["size"], other["tags"]) == (2, 2000, ["3"])
    assert [sorted(each["tags"]) for each in base["branches"]] == [["2", "latest"], ["1"]]
    lines = [line.split() for line in run("tree", "app").out.splitlines()]
    assert ["1", str(costs["1"]["size"]), str(costs["1"]["alone"]), images["1"]["digest"]] in lines


def test_a_filter_leaves_what_the_others_need(run: Run, shelf: Repository) -> None:
    for name, layers in {"1": "abc", "2": "abd"}.items():
        shelf.tag(name, shelf.built(layers))
    found = run("tree", "app", "--filter", "1", "--json").data
    assert [each["name"] for each in found["costs"]] == ["1"]
    assert found["costs"][0]["alone"] < 2000


def test_each_platform_has_a_tree(run: Run, shelf: Repository) -> None:
    entries = [shelf.built("ab", arch) for arch in ("amd64", "arm64")]
    missing = {"mediaType": OCI_IMAGE, "size": 1, "digest": f"sha256:{7:064x}", "platform": entries[0]["platform"]}
    shelf.put(OCI_INDEX, {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [*entries, missing]}, "1")
    found = run("tree", "app", "--json").data
    assert [each["platform"] for each in found["platforms"]] == ["linux/amd64", "linux/arm64"]
    alone = [[2000 + own(shelf, each)] for each in entries]
    assert [list(each["alone"].values()) for each in found["platforms"]] == alone
    index = len(shelf.manifests["1"][1])
    assert found["costs"][0]["size"] == index + 2000 + sum(own(shelf, each) for each in entries)


def test_an_image_of_an_index_that_only_the_cache_has_is_in_no_tree(run: Run, shelf: Repository) -> None:
    entries = [shelf.built("ab", arch) for arch in ("amd64", "arm64")]
    shelf.put(OCI_INDEX, {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": entries}, "1")
    assert len(run("tree", "app", "--json").data["platforms"]) == 2
    del shelf.manifests[entries[1]["digest"]]
    found = run("tree", "app", "--json").data
    assert [each["platform"] for each in found["platforms"]] == ["linux/amd64"]
    assert found["stored"] == len(shelf.manifests["1"][1]) + 2000 + own(shelf, entries[0])


def test_a_tag_that_cannot_be_read_is_told(run: Run, shelf: Repository) -> None:
    shelf.tag("1", shelf.built("a"))
    shelf.put(OCI_IMAGE, {"layers": 1}, "broken")
    outcome = run("tree", "app", "--json")
    assert outcome.code == 1
    assert list(outcome.data["unread"]) == ["broken"]
    assert [each["name"] for each in outcome.data["costs"]] == ["1"]


def test_a_name_in_the_list_that_is_no_tag_is_not_asked_for(run: Run, serve: Serve) -> None:
    shelf = Repository()
    for name in ("1", "\x1b[1m"):
        shelf.tag(name, shelf.built("a"))
    server = serve(shelf)
    outcome = run("tree", "app", "--json")
    assert (outcome.code, [each["name"] for each in outcome.data["costs"]]) == (1, ["1"])
    assert list(outcome.data["unread"]) == ["\x1b[1m"]
    assert not [asked for asked in server.asked if "%1B" in asked.target or "\x1b" in asked.path]


def test_a_repository_that_is_not_there(run: Run, serve: Serve) -> None:
    serve(Shelf())
    assert run("tree", "app").code == 22


def test_a_manifest_that_goes_away_meanwhile(run: Run, serve: Serve) -> None:
    old = "application/vnd.docker.distribution.manifest.v1+prettyjws"
    payload = f"sha256:{5:064x}"  # its digest, which its bytes do not prove, so it is not kept

    class Fleeting(Repository):
        asked = 0

        def __call__(self, asked: Asked) -> Answer:
            if not asked.path.endswith(("/manifests/old", f"/manifests/{payload}")):
                return super().__call__(asked)
            self.asked += 1
            if self.asked > 2:
                return error_answer(404, "MANIFEST_UNKNOWN")
            return Answer(200, self.manifests["old"][1], {"Content-Type": old, "Docker-Content-Digest": payload})

    shelf = Fleeting()
    shelf.put(old, {"schemaVersion": 1, "fsLayers": []}, "old")
    shelf.tag("1", shelf.built("a"))
    serve(shelf)
    outcome = run("tree", "app", "--json")
    assert outcome.code == 0
    assert sorted(each["name"] for each in outcome.data["costs"]) == ["1", "old"]
    assert shelf.asked == 3


def test_what_has_no_readable_config_or_no_image_is_in_the_picture(run: Run, shelf: Repository) -> None:
    shelf.tag("broken", shelf.image(b"no json"))
    shelf.tag("chart", shelf.image({}, artifactType="application/x.chart"))
    shelf.put(OCI_INDEX, {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": []}, "empty")
    outcome = run("tree", "app", "--json")
    assert outcome.code == 0
    (wood,) = outcome.data["platforms"]
    assert wood["platform"] is None
    assert sorted(tag for branch in wood["branches"] for tag in branch["tags"]) == ["broken", "chart", "empty"]


def test_an_index_within_an_index(run: Run, shelf: Repository) -> None:
    inner = shelf.put(OCI_INDEX, {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [shelf.built("ab")]})
    shelf.put(OCI_INDEX, {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [inner]}, "1")
    (wood,) = run("tree", "app", "--json").data["platforms"]
    assert (wood["platform"], wood["branches"][0]["size"]) == ("linux/amd64", 2000)


def test_the_layers_of_schema_1(run: Run, shelf: Repository) -> None:
    """Their sizes are those of the blobs, which have to be asked for."""
    blob = f"sha256:{5:064x}"
    shelf.blobs[blob] = bytes(70)
    layers = [{"blobSum": blob}]
    shelf.put("application/vnd.docker.distribution.manifest.v1+json", {"schemaVersion": 1, "fsLayers": layers}, "old")
    found = run("tree", "app", "--json").data
    assert found["platforms"][0]["branches"][0]["layers"] == [blob]
    assert found["platforms"][0]["branches"][0]["size"] == 70


@pytest.mark.parametrize("status", [401, 403])
def test_referrers_that_nobody_may_see_hide_no_tag(run: Run, serve: Serve, status: int) -> None:
    shelf = Repository()
    shelf.tag("1", shelf.built("a"))
    denied = error_answer(status, "DENIED")
    serve(lambda asked: denied if "/referrers/" in asked.path else shelf(asked))
    outcome = run("tree", "app")
    assert (outcome.code, outcome.out.split()[0]) == (0, "1")
    assert "what refers to the images, such as signatures, is not counted: cannot list what refers to" in outcome.err
    found = run("tree", "app", "--json").data
    assert ([each["name"] for each in found["costs"]], found["unread"]) == (["1"], {})
    assert f" {status} " in found["unlisted"]


def test_nothing_to_show(run: Run, shelf: Repository) -> None:
    shelf.tag("1", shelf.built("a"))
    outcome = run("tree", "app", "--filter", "2*")
    assert (outcome.code, outcome.out) == (0, "")
    assert "no tags that match" in outcome.err
