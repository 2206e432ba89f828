"""`devreg repos` and `devreg tags`, compared with what the registry itself says."""

import json
import re
import time
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.conftest import Server, client, free_port
from tests.live.lab import processes
from tests.live.lab.devreg import Devreg
from tests.live.lab.images import multi_layer_image
from tests.live.lab.run import need
from tests.live.lab.wire import CONFIG, INDEX, LAYER, MANIFEST, OCI_INDEX, Wire

MANY_TAGS, MANY_REPOSITORIES = 250, 105


def test_tags_are_what_the_registry_holds(devreg: Devreg, server: Server) -> None:
    server.log_in(devreg)
    with client(server.engine) as sdk:
        name = multi_layer_image(sdk, "compared:1", 4, 0.3)
        local = sdk.images.get(name).attrs
    created, architecture = local["Created"], local["Architecture"]
    devreg.ok("push", name)
    (row,) = devreg.ok("tags", "compared", "--json").data["tags"]
    answer = server.anybody.manifest("compared", "1")
    manifest = answer.document
    assert row["repository"] == "compared"
    assert row["name"] == "1"
    assert row["digest"] == answer.one("Docker-Content-Digest")
    assert row["size"] == manifest["config"]["size"] + sum(layer["size"] for layer in manifest["layers"])
    assert row["platforms"] == [f"linux/{architecture}"]
    assert row["media_type"] == manifest["mediaType"]
    assert row["created"][:19] == created[:19]
    assert row["created"].endswith("Z")


def test_an_index_has_the_platforms_and_the_size_of_all_its_images(devreg: Devreg, server: Server) -> None:
    entries, total = [], 0
    for arch in ("amd64", "arm64"):
        manifest = server.pusher.image("index", "2024-05-06T07:08:09Z", [arch.encode() * 100], arch)
        digest = server.pusher.put_manifest("index", f"only-{arch}", manifest)
        document = json.loads(manifest)
        total += document["config"]["size"] + sum(layer["size"] for layer in document["layers"])
        platform = {"os": "linux", "architecture": arch}
        entries.append({"mediaType": MANIFEST, "size": len(manifest), "digest": digest, "platform": platform})
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}).encode()
    digest = server.pusher.put_manifest("index", "all", index, INDEX)
    rows = {row["name"]: row for row in devreg.ok("tags", "index", "--json").data["tags"]}
    assert list(rows) == ["all", "only-amd64", "only-arm64"]
    assert rows["all"]["digest"] == digest
    assert rows["all"]["platforms"] == ["linux/amd64", "linux/arm64"]
    assert rows["all"]["size"] == total
    assert rows["all"]["created"] == "2024-05-06T07:08:09Z"
    assert rows["all"]["media_type"] == INDEX


def test_the_cache_of_a_build_is_told_by_its_layers(devreg: Devreg, server: Server) -> None:
    """BuildKit keeps it in an index of layers. Registry 2.8 takes that, and has no manifests for them (500)."""
    blobs = [
        {"mediaType": media_type, **server.pusher.put_blob("cache", media_type.encode())}
        for media_type in ("application/vnd.oci.image.layer.v1.tar+gzip", "application/vnd.buildkit.cacheconfig.v0")
    ]
    index = json.dumps({"schemaVersion": 2, "mediaType": OCI_INDEX, "manifests": blobs}).encode()
    server.pusher.put_manifest("cache", "main", index, OCI_INDEX)
    (row,) = devreg.ok("tags", "cache", "--json").data["tags"]
    assert (row["kind"], row["size"]) == ("artifact", sum(len(str(blob["mediaType"])) for blob in blobs))


def test_every_one_of_many_tags_is_listed(devreg: Devreg, server: Server) -> None:
    manifest = server.pusher.image("many", "2024-01-02T03:04:05Z", [b"layer"])
    for n in range(MANY_TAGS):
        digest = server.pusher.put_manifest("many", f"v{n}", manifest)
    rows = devreg.ok("tags", "many", "--json").data["tags"]
    assert {row["name"] for row in rows} == {f"v{n}" for n in range(MANY_TAGS)}
    assert {row["digest"] for row in rows} == {digest}
    assert [row["error"] for row in rows if row["error"]] == []


def test_every_page_of_the_repositories_is_followed(devreg: Devreg, server: Server) -> None:
    wanted = {f"page/of{n:03}" for n in range(MANY_REPOSITORIES)}
    for repository in wanted:
        manifest = server.pusher.image(repository, "2024-01-02T03:04:05Z", [])
        server.pusher.put_manifest(repository, "1", manifest)
    first = server.anybody("GET", "/v2/_catalog")
    assert len(first.document["repositories"]) <= 100, "this registry does not page: the test shows nothing"
    assert first.all("Link")
    found = devreg.ok("repos", "--json").data["repositories"]
    names = [each["name"] for each in found]
    assert wanted <= set(names)
    assert names == sorted(set(names))
    assert set(names) == set(all_pages(server.anybody))


def all_pages(wire: Wire) -> Iterator[str]:
    path: str | None = "/v2/_catalog?n=50"
    while path:
        answer = wire("GET", path)
        yield from answer.document["repositories"]
        (link,) = answer.all("Link") or [""]
        found = re.match(r"<([^>]+)>", link)
        path = urllib.parse.urlunsplit(("", "", *urllib.parse.urlsplit(found[1])[2:])) if found else None


def test_piped_tags_are_lines_of_eight_words(devreg: Devreg, server: Server) -> None:
    manifest = server.pusher.image("piped", "2024-01-02T03:04:05Z", [b"layer"])
    digest = server.pusher.put_manifest("piped", "b", manifest)
    server.pusher.put_manifest("piped", "a", manifest)
    size = str(sum(each["size"] for each in [json.loads(manifest)["config"], *json.loads(manifest)["layers"]]))
    rest = (digest, size, "2024-01-02T03:04:05Z", "linux/amd64", "image", "0")
    lines = [line.split() for line in devreg.ok("tags", "piped").stdout.splitlines()]
    assert lines == [["a", *rest, "b"], ["b", *rest, "a"]]
    assert devreg.ok("tags", f"{server.address}/piped").stdout == devreg.ok("tags", "piped").stdout
    assert "piped" in devreg.ok("repos").stdout.splitlines()


def test_a_tag_whose_config_is_gone_is_a_row_with_an_error(devreg: Devreg, server: Server) -> None:
    good = server.pusher.image("damaged", "2024-01-02T03:04:05Z", [b"good"])
    server.pusher.put_manifest("damaged", "good", good)
    bad = server.pusher.image("damaged", "2025-01-02T03:04:05Z", [b"bad"])
    server.pusher.put_manifest("damaged", "bad", bad)
    config = json.loads(bad)["config"]["digest"]
    assert server.pusher("DELETE", f"/v2/damaged/blobs/{config}").status == 202
    done = devreg.fails(1, "tags", "damaged", "--json").document
    rows = {row["name"]: row for row in done["data"]["tags"]}
    assert rows["bad"]["error"]
    assert rows["good"]["error"] is None
    assert done["ok"] is False


def test_an_unknown_repository(devreg: Devreg) -> None:
    assert "not-there" in devreg.fails(22, "tags", "not-there").stderr


def test_what_is_no_image_is_listed_too(devreg: Devreg, server: Server) -> None:
    config = {"mediaType": CONFIG, **server.pusher.put_blob("odd", b"{}")}
    layer = {"mediaType": LAYER, **server.pusher.put_blob("odd", b"x")}
    manifest = json.dumps({"schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [layer]}).encode()
    server.pusher.put_manifest("odd", "1", manifest)
    (row,) = devreg.ok("tags", "odd", "--json").data["tags"]
    assert row["created"] is None
    assert row["error"] is None
    assert row["platforms"] == []


@pytest.fixture
def welcome_page(tmp_path: Path) -> Iterator[str]:
    """A real nginx as its package sets it up: a page for everything."""
    port = free_port()
    (tmp_path / "html").mkdir()
    (tmp_path / "html/index.html").write_text("<h1>Welcome to nginx!</h1>")
    config = tmp_path / "nginx.conf"
    config.write_text(
        f"daemon off; pid {tmp_path}/pid; error_log {tmp_path}/errors; user root; events {{}}\n"
        f"http {{ access_log off; server {{ listen 127.0.0.1:{port}; root {tmp_path}/html;\n"
        "  location / { try_files $uri /index.html; } } }\n"
    )
    pid = processes.spawn([need("nginx", "nginx"), "-c", str(config)], env={}, log=tmp_path / "log")
    wire = Wire(f"127.0.0.1:{port}")
    try:
        wait_until_it_answers(wire)
        yield wire.address
    finally:
        processes.end(pid)


def wait_until_it_answers(wire: Wire) -> None:
    deadline = time.monotonic() + 10
    while True:
        try:
            wire("GET", "/")
        except OSError:
            assert time.monotonic() < deadline, "nginx does not start"
            time.sleep(0.05)
        else:
            return


def test_a_web_server_is_not_taken_for_a_registry(devreg: Devreg, welcome_page: str) -> None:
    for words in (("repos", welcome_page), ("tags", f"{welcome_page}/x")):
        assert "not as a registry" in devreg.fails(20, *words).stderr
    login = ("login", welcome_page, "-u", "me", "--password-stdin")
    assert "not as a registry" in devreg.fails(20, *login, input="secret\n").stderr
    assert devreg.config() == {}
    status = devreg.ok("status", "--json", env={"DEVREG_REGISTRY": welcome_page}).document
    assert status["data"]["registry"]["reachable"] is False
