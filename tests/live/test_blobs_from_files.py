"""Blobs come from nginx itself, as they would from the registry; whatever is in the way, the registry answers."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.conftest import Server, client
from tests.live.lab.wire import Answer, digest_of

BLOB = b"a layer, as it is in its file"
HEX = digest_of(BLOB).partition(":")[2]
PATH = f"/v2/files/one/blobs/sha256:{HEX}"
# Of one blob in one file: what else differs is the server's own.
SAME = ("Content-Type", "Content-Length", "Docker-Content-Digest", "ETag", "Cache-Control", "X-Content-Type-Options")


@pytest.fixture(scope="module")
def stored(server: Server) -> None:
    server.pusher.put_blob("files/one", BLOB)


@pytest.fixture
def file(server: Server, stored: None) -> Iterator[Path]:  # noqa: ARG001 - it writes the file
    """The blob's file, which comes back."""
    blobs = server.engine.root / "data/volumes/devreg_registry/_data/docker/registry/v2/blobs/sha256"
    path = blobs / HEX[:2] / HEX / "data"
    mode = path.stat().st_mode
    yield path
    path.chmod(mode)


def asked_of_the_registry(server: Server, method: str) -> int:
    """How many requests of that method for the blob the registry's log tells of."""
    with client(server.engine) as sdk:
        log: bytes = sdk.containers.get("devreg-registry").logs(stdout=True, stderr=True)
    return log.count(f'"{method} {PATH} HTTP'.encode())


def got(server: Server, method: str = "GET", **headers: str) -> Answer:
    return server.anybody(method, PATH, {name.replace("_", "-"): value for name, value in headers.items()})


@pytest.mark.usefixtures("stored")
def test_the_registry_is_only_asked_whether_it_is_there(server: Server) -> None:
    before = asked_of_the_registry(server, "GET")
    assert (got(server).status, got(server).body) == (200, BLOB)
    assert asked_of_the_registry(server, "GET") == before


def test_the_answer_is_as_the_registrys(server: Server, file: Path) -> None:
    ours, head = got(server), got(server, "HEAD")
    file.chmod(0o600)
    theirs = got(server)
    for name in SAME:
        assert ours.all(name) == theirs.all(name) == head.all(name), name
    assert ours.body == theirs.body


def test_a_part(server: Server, file: Path) -> None:
    ours = got(server, Range="bytes=2-6")
    file.chmod(0o600)
    for answer in (ours, got(server, Range="bytes=2-6")):
        assert (answer.status, answer.body) == (206, BLOB[2:7])
        assert answer.one("Content-Range") == f"bytes 2-6/{len(BLOB)}"


def test_a_file_that_nginx_may_not_read_comes_from_the_registry(server: Server, file: Path) -> None:
    before = asked_of_the_registry(server, "GET")
    file.chmod(0o600)
    assert (got(server).status, got(server).body) == (200, BLOB)
    assert asked_of_the_registry(server, "GET") == before + 2


@pytest.mark.usefixtures("stored")
def test_a_blob_of_another_repository_is_not_in_this_one(server: Server) -> None:
    for repository in ("files/other", "files", "one"):
        answer = server.anybody("GET", f"/v2/{repository}/blobs/sha256:{HEX}")
        assert answer.status == 404
        assert answer.document["errors"][0]["code"] in ("BLOB_UNKNOWN", "NAME_UNKNOWN")


@pytest.mark.usefixtures("stored")
def test_the_files_have_no_address_of_their_own(server: Server) -> None:
    for method in ("GET", "POST"):
        for path in (f"/blobs/sha256/{HEX[:2]}/{HEX}/data", "/blob/known", f"/v2/blobs/sha256/{HEX[:2]}/{HEX}/data"):
            assert server.anybody(method, path).status in (401, 403, 404)
    with client(server.engine) as sdk:
        assert b" /blob" not in sdk.containers.get("devreg-registry").logs(stdout=True, stderr=True)
