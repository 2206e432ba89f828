"""`devreg inspect`: what an image is made of, whatever the registry sends."""

from __future__ import annotations

import json
from typing import Any

import pytest

from devreg.model.manifest import DOCKER_IMAGE, OCI_IMAGE, OCI_INDEX
from devreg.model.wire import digest_of
from tests.cli.conftest import Run, Serve
from tests.http.server import Answer, Asked, error_answer

CONFIG_TYPE = "application/vnd.oci.image.config.v1+json"
LAYER_TYPE = "application/vnd.oci.image.layer.v1.tar+gzip"
LAYERS = [{"mediaType": LAYER_TYPE, "size": 1000 * number, "digest": f"sha256:{number:064x}"} for number in (1, 2)]
HISTORY = [
    {"created_by": "/bin/sh -c #(nop) ADD file:1 in / "},
    {"created_by": '/bin/sh -c #(nop)  CMD ["sh"]', "empty_layer": True},
    {"created_by": "RUN /bin/sh -c make install # buildkit"},
]


class Shelf:
    """A registry that has these manifests, each under its digest and one under a tag, and blobs."""

    def __init__(self) -> None:
        self.manifests: dict[str, tuple[str, bytes]] = {}
        self.blobs: dict[str, bytes] = {}
        self.referrers: dict[str, bytes] | None = None

    def image(self, config: object, arch: str = "amd64", media_type: str = OCI_IMAGE, **more: object) -> dict[str, Any]:
        """Put an image there; its descriptor."""
        body = config if isinstance(config, bytes) else json.dumps(config).encode()
        self.blobs[digest_of(body)] = body
        described = {"mediaType": CONFIG_TYPE, "size": len(body), "digest": digest_of(body)}
        manifest = {"schemaVersion": 2, "mediaType": media_type, "config": described, "layers": LAYERS, **more}
        return {**self.put(media_type, manifest), "platform": {"os": "linux", "architecture": arch}}

    def put(self, media_type: str, manifest: object, *tags: str) -> dict[str, Any]:
        body = json.dumps(manifest).encode()
        for name in (digest_of(body), *tags):
            self.manifests[name] = (media_type, body)
        return {"mediaType": media_type, "size": len(body), "digest": digest_of(body)}

    def tag(self, name: str, descriptor: dict[str, Any]) -> None:
        self.manifests[name] = self.manifests[descriptor["digest"]]

    def __call__(self, asked: Asked) -> Answer:
        kind, name = asked.path.split("/")[-2:]
        if kind == "manifests" and name in self.manifests:
            media_type, body = self.manifests[name]
            return Answer(200, body, {"Content-Type": media_type, "Docker-Content-Digest": digest_of(body)})
        if kind == "blobs" and name in self.blobs:
            return Answer(200, self.blobs[name])
        if kind == "referrers" and self.referrers is not None:
            return Answer(200, self.referrers.get(name, b'{"manifests": []}'), {"Content-Type": OCI_INDEX})
        return error_answer(404, "UNKNOWN")


def config(arch: str = "amd64", **more: object) -> dict[str, object]:
    return {
        "created": "2024-05-06T07:08:09Z",
        "os": "linux",
        "architecture": arch,
        "history": HISTORY,
        "config": {
            "Env": ["PATH=/bin", "NAME=a b"],
            "Entrypoint": ["/app", "serve it"],
            "Cmd": ["--help"],
            "User": "app",
            "WorkingDir": "/srv",
            "ExposedPorts": {"80/tcp": {}, "443/tcp": {}},
            "Volumes": {"/data": {}},
            "Labels": {"a": "b"},
        },
        **more,
    }


@pytest.fixture
def shelf(serve: Serve) -> Shelf:
    shelf = Shelf()
    serve(shelf)
    return shelf


def test_an_image(run: Run, shelf: Shelf) -> None:
    described = shelf.image(config(), annotations={"x": "y"})
    shelf.tag("latest", described)
    found = run("inspect", "app", "--json").data
    assert found["digest"] == described["digest"]
    assert (found["kind"], found["media_type"], found["manifest_size"]) == ("image", OCI_IMAGE, described["size"])
    assert (found["annotations"], found["referrers"], found["platforms"]) == ({"x": "y"}, None, [])
    image = found["image"]
    instructions = ["ADD file:1 in /", "RUN make install"]
    assert [(each["size"], each["instruction"]) for each in image["layers"]] == list(
        zip((1000, 2000), instructions, strict=True)
    )
    assert image["size"] == 3000 + len(json.dumps(config()))
    assert (image["platform"], image["created"]) == ("linux/amd64", "2024-05-06T07:08:09Z")
    assert (image["entrypoint"], image["cmd"], image["user"]) == (["/app", "serve it"], ["--help"], "app")
    assert (image["ports"], image["volumes"], image["labels"]) == (["80/tcp", "443/tcp"], ["/data"], {"a": "b"})


def test_in_a_pipe_it_is_lines_of_tabs(run: Run, shelf: Shelf) -> None:
    shelf.tag("1", shelf.image(config()))
    lines = [line.split("\t") for line in run("inspect", "app:1").out.splitlines()]
    assert ["layer", LAYERS[1]["digest"], "2000", "RUN make install"] in lines
    assert ["entrypoint", "/app 'serve it'"] in lines
    assert ["env", "NAME=a b"] in lines
    assert [] not in lines


@pytest.mark.parametrize("history", [None, [], HISTORY[:1], [*HISTORY, HISTORY[0]], "text", [1, 2]])
def test_a_history_that_does_not_fit_tells_nothing(run: Run, shelf: Shelf, history: object) -> None:
    shelf.tag("1", shelf.image(config(history=history)))
    image = run("inspect", "app:1", "--json").data["image"]
    assert [each["instruction"] for each in image["layers"]] == [None, None]


@pytest.mark.parametrize("wrong", [None, 1, "x", [], {"Env": 1, "Labels": [1], "ExposedPorts": "x", "User": {}}])
def test_a_config_that_makes_no_sense(run: Run, shelf: Shelf, wrong: object) -> None:
    shelf.tag("1", shelf.image(config(config=wrong)))
    image = run("inspect", "app:1", "--json").data["image"]
    assert (image["env"], image["labels"], image["ports"], image["user"]) == ([], {}, [], None)


def index(shelf: Shelf) -> list[dict[str, Any]]:
    images = [shelf.image(config(arch), arch) for arch in ("amd64", "arm64")]
    attestation = shelf.image({"architecture": "unknown", "os": "unknown"}, "unknown")
    attestation["platform"] = {"os": "unknown", "architecture": "unknown"}
    shelf.put(OCI_INDEX, {"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": [*images, attestation]}, "1")
    return [*images, attestation]


def test_an_index(run: Run, shelf: Shelf) -> None:
    amd64, arm64, attestation = index(shelf)
    found = run("inspect", "app:1", "--json").data
    assert found["kind"] == "index"
    assert [(each["platform"], each["digest"]) for each in found["platforms"]] == [
        ("linux/amd64", amd64["digest"]),
        ("linux/arm64", arm64["digest"]),
    ]
    assert [each["digest"] for each in found["attestations"]] == [attestation["digest"]]
    assert found["image"]["digest"] == amd64["digest"]
    chosen = run("inspect", "app:1", "--platform", "linux/arm64", "--json").data["image"]
    assert (chosen["digest"], chosen["platform"]) == (arm64["digest"], "linux/arm64")


def test_a_platform_that_is_not_there(run: Run, shelf: Shelf) -> None:
    index(shelf)
    shelf.tag("2", shelf.image(config()))
    for name, there in (("app:1", "linux/amd64, linux/arm64"), ("app:2", "linux/amd64")):
        outcome = run("inspect", name, "--platform", "windows/amd64")
        assert (outcome.code, outcome.out) == (22, "")
        assert there in outcome.err


def test_an_index_whose_images_were_left_behind(run: Run, shelf: Shelf) -> None:
    amd64, arm64, _ = index(shelf)
    del shelf.manifests[amd64["digest"]]
    assert run("inspect", "app:1", "--json").data["image"]["digest"] == arm64["digest"]
    del shelf.manifests[arm64["digest"]]
    run("cache", "clear")
    assert run("inspect", "app:1", "--json").data["image"] is None


def test_raw_is_what_the_registry_has(run: Run, shelf: Shelf) -> None:
    amd64, _, _ = index(shelf)
    assert run("inspect", "app:1", "--raw").out.encode() == shelf.manifests["1"][1]
    chosen = run("inspect", "app:1", "--raw", "--platform", "linux/amd64")
    assert chosen.out.encode() == shelf.manifests[amd64["digest"]][1]
    assert run("inspect", "app:1", "--raw", "--json").code == 2


def test_an_artifact_and_what_refers_to_it(run: Run, shelf: Shelf) -> None:
    described = shelf.image({}, artifactType="application/x.chart")
    shelf.tag("chart", described)
    signature = {"mediaType": OCI_IMAGE, "size": 7, "digest": f"sha256:{9:064x}"}
    shelf.referrers = {described["digest"]: json.dumps({"manifests": [signature]}).encode()}
    found = run("inspect", "app:chart", "--json").data
    assert (found["kind"], found["image"]) == ("artifact", None)
    assert [each["digest"] for each in found["blobs"][1:]] == [each["digest"] for each in LAYERS]
    assert [each["digest"] for each in found["referrers"]] == [signature["digest"]]
    assert f"referrer\t{OCI_IMAGE}\t7\t{signature['digest']}" in run("inspect", "app:chart").out


def test_schema_1(run: Run, shelf: Shelf) -> None:
    shelf.put("application/vnd.docker.distribution.manifest.v1+json", {"schemaVersion": 1, "fsLayers": []}, "old")
    outcome = run("inspect", "app:old")
    assert outcome.code == 0
    assert "schema1" in outcome.out


@pytest.mark.parametrize("body", [b"no json", b"[]", b"[" * 10_000 + b"]" * 10_000, b"\xff\xfe"])
def test_a_config_that_is_none(run: Run, shelf: Shelf, body: bytes) -> None:
    shelf.tag("1", shelf.image(body))
    outcome = run("inspect", "app:1")
    assert (outcome.code, outcome.out) == (20, "")
    assert "the config is not a JSON object" in outcome.err


def test_what_the_registry_says_is_inert(run: Run, shelf: Shelf) -> None:
    evil = "\x1b]0;owned\x07[red]x[/red]\u202e"
    wrong = {"Labels": {evil: evil}, "Env": [evil], "User": evil}
    history = [{"created_by": evil}, {"created_by": "x"}]
    shelf.tag("1", shelf.image(config(config=wrong, history=history), media_type=DOCKER_IMAGE))
    out = run("inspect", "app:1").out
    assert "\x1b" not in out
    assert "\u202e" not in out
    assert "[red]x[/red]" in out


def test_a_reference_that_is_not_there(run: Run, shelf: Shelf) -> None:
    assert shelf.manifests == {}
    assert run("inspect", "app:1").code == 22
    assert run("inspect", "App").code == 2
