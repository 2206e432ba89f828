"""`devreg inspect`: what an image is made of, whatever the registry sends."""

from __future__ import annotations

import json
from typing import Any

import pytest

from devreg.model.manifest import DOCKER_LIST, OCI_IMAGE, OCI_INDEX
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
            "Healthcheck": {"Test": ["CMD-SHELL", "curl -f localhost || exit 1"], "Interval": 30_000_000_000},
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


def test_in_a_pipe_it_is_lines_of_words(run: Run, shelf: Shelf) -> None:
    shelf.tag("1", shelf.image(config()))
    lines = [line.split(maxsplit=3) for line in run("inspect", "app:1").out.splitlines()]
    assert ["layer", LAYERS[1]["digest"], "2000", "RUN make install"] in lines
    assert ["entrypoint", "/app", "'serve", "it'"] in lines
    assert ["env", "NAME=a", "b"] in lines
    assert ["healthcheck", "curl", "-f", "localhost || exit 1"] in lines
    assert ["created", "2024-05-06T07:08:09Z"] in lines
    assert ["size", str(3000 + len(json.dumps(config())))] in lines
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
    assert [each["subject"] for each in found["attestations"]] == [None]
    assert [each["content_size"] for each in found["platforms"]] == [3000 + len(json.dumps(config("amd64")))] * 2
    assert found["size"] == sum(each["content_size"] for each in found["platforms"])
    chosen = run("inspect", "app:1", "--platform", "linux/arm64", "--json").data["image"]
    assert (chosen["digest"], chosen["platform"]) == (arm64["digest"], "linux/arm64")


@pytest.mark.parametrize(
    ("machine", "shown", "chosen"),
    [("x86_64", "linux/amd64", "machine"), ("aarch64", "linux/arm64", "machine"), ("vax", "linux/amd64", "first")],
)
def test_which_of_several_is_shown(
    run: Run, shelf: Shelf, monkeypatch: pytest.MonkeyPatch, machine: str, shown: str, chosen: str
) -> None:
    index(shelf)
    monkeypatch.setattr("devreg.actions.inspect.machine.machine", lambda: machine)
    found = run("inspect", "app:1", "--json").data
    assert (found["image"]["platform"], found["chosen"]) == (shown, chosen)
    outcome = run("inspect", "app:1")
    assert f"shown is {shown}" in outcome.err
    assert "shown is" not in outcome.out
    assert "shown is" not in run("inspect", "app:1", "--platform", "linux/arm64").err


def test_an_attestation_is_of_a_platform(run: Run, shelf: Shelf) -> None:
    described = shelf.image(config())
    about = {"vnd.docker.reference.type": "attestation-manifest", "vnd.docker.reference.digest": described["digest"]}
    attestation = {**shelf.image({"os": "unknown"}, "unknown"), "annotations": about}
    shelf.put(OCI_INDEX, {"mediaType": OCI_INDEX, "manifests": [described, attestation]}, "1")
    (found,) = run("inspect", "app:1", "--json").data["attestations"]
    assert (found["platform"], found["subject"]) == ("linux/amd64", described["digest"])


def test_an_index_within_an_index(run: Run, shelf: Shelf) -> None:
    inner = shelf.put(OCI_INDEX, {"mediaType": OCI_INDEX, "manifests": [shelf.image(config("s390x"), "s390x")]})
    shelf.put(OCI_INDEX, {"mediaType": OCI_INDEX, "manifests": [inner]}, "1")
    found = run("inspect", "app:1", "--json").data
    assert [each["platform"] for each in found["platforms"]] == ["linux/s390x"]
    assert found["image"]["platform"] == "linux/s390x"
    assert run("inspect", "app:1", "--raw", "--platform", "linux/s390x").code == 0


def test_an_index_of_images_that_are_told_apart_by_their_configs_only(run: Run, shelf: Shelf) -> None:
    images = [shelf.image(config(arch)) for arch in ("amd64", "arm64")]
    entries = [{key: value for key, value in each.items() if key != "platform"} for each in images]
    shelf.put(DOCKER_LIST, {"mediaType": DOCKER_LIST, "manifests": entries}, "1")
    found = run("inspect", "app:1", "--platform", "linux/arm64/v8", "--json").data
    assert found["image"]["digest"] == images[1]["digest"]


def test_a_platform_that_is_not_there(run: Run, shelf: Shelf) -> None:
    index(shelf)
    shelf.tag("2", shelf.image(config()))
    for name, there in (("app:1", "linux/amd64, linux/arm64"), ("app:2", "linux/amd64")):
        outcome = run("inspect", name, "--platform", "windows/amd64")
        assert (outcome.code, outcome.out) == (22, "")
        assert there in outcome.err


def test_an_index_whose_images_were_left_behind(run: Run, shelf: Shelf) -> None:
    """The cache may still know them, as it does those of another repository."""
    amd64, arm64, _ = index(shelf)
    assert run("inspect", "app:1", "--json").data["platforms"][0]["error"] is None
    del shelf.manifests[amd64["digest"]]
    found = run("inspect", "app:1", "--json").data
    assert found["image"]["digest"] == arm64["digest"]
    assert [each["error"] for each in found["platforms"]] == ["not in the registry", None]
    assert found["size"] == found["platforms"][1]["content_size"]
    assert run("inspect", "app:1", "--platform", "linux/amd64").code == 22
    del shelf.manifests[arm64["digest"]]
    outcome = run("inspect", "app:1", "--json")
    assert (outcome.code, outcome.data["image"]) == (0, None)
    assert "not in the registry" in run("inspect", "app:1").out


def test_raw_is_inert_on_a_terminal(run: Run, shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """And in a pipe what its digest is of."""
    body = (
        b'{"schemaVersion": 2, "manifests": [],\n\t"a": "\x1b]0;owned\x07\xe2\x80\xae", "mediaType": "'
        + OCI_INDEX.encode()
        + b'"}'
    )
    shelf.manifests["1"] = (OCI_INDEX, body)
    assert run("inspect", "app:1", "--raw").out.encode() == body
    monkeypatch.setattr("devreg.output.console.is_terminal", lambda: True)
    shown = run("inspect", "app:1", "--raw").out
    assert '[],\n\t"a": "\\x1b]0;owned\\x07\\u202e"' in shown
    assert shown.endswith('"}\n')


def test_raw_is_what_the_registry_has(run: Run, shelf: Shelf) -> None:
    amd64, _, _ = index(shelf)
    assert run("inspect", "app:1", "--raw").out.encode() == shelf.manifests["1"][1]
    chosen = run("inspect", "app:1", "--raw", "--platform", "linux/amd64")
    assert chosen.out.encode() == shelf.manifests[amd64["digest"]][1]
    assert run("inspect", "app:1", "--raw", "--json").code == 2
    shelf.tag("2", amd64)
    assert run("inspect", "app:2", "--raw", "--platform", "linux/amd64").out == chosen.out
    assert run("inspect", "app:2", "--raw", "--platform", "linux/arm64").code == 22
