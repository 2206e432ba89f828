"""The server that `devreg registry up` runs, as HTTP clients and people on this machine see it."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.conftest import PASSWORD, USER, Server, client
from tests.live.lab.devreg import Devreg, user_of
from tests.live.lab.run import need, run
from tests.live.lab.wire import MANIFEST, VERSION, Answer, Wire, basic

MEGABYTE = 1 << 20
BIG = 300


@pytest.fixture(scope="module")
def stored(server: Server) -> dict[str, str]:
    """An image in the registry: where to read its manifest and a blob."""
    manifest = server.pusher.image("stored", "2024-01-02T03:04:05Z", [b"layer"])
    digest = server.pusher.put_manifest("stored", "1", manifest)
    blob = server.pusher.put_blob("stored", b"layer")["digest"]
    return {"manifest": f"/v2/stored/manifests/{digest}", "blob": f"/v2/stored/blobs/{blob}"}


@pytest.fixture
def admin(server: Server, tmp_path: Path) -> Devreg:
    """Who runs the server."""
    return user_of(server.engine, tmp_path / "admin")


def container_ids(server: Server) -> dict[str, str]:
    with client(server.engine) as sdk:
        found = sdk.containers.list(all=True, filters={"label": "io.devreg.role"})
        return {str(each.name): str(each.id) for each in found}


def challenged(answer: Answer, server: Server) -> bool:
    wanted = f'Bearer realm="http://{server.address}/v2/token",service="devreg"'
    return answer.status == 401 and answer.all("WWW-Authenticate") == [wanted] and "errors" in answer.document


def test_a_second_up_changes_nothing(server: Server, admin: Devreg) -> None:
    before = container_ids(server)
    again = admin.ok("registry", "up", "--json").document
    assert (again["ok"], again["changed"]) == (True, False)
    assert again["data"]["address"] == server.address
    assert again["data"]["password"] is None
    assert container_ids(server) == before
    assert set(before) == {"devreg-nginx", "devreg-registry"}


def test_status_tells_how_the_server_is(server: Server, admin: Devreg) -> None:
    status = admin.ok("registry", "status", "--json").data
    assert status["running"] is True
    assert status["healthy"] is True
    assert status["address"] == server.address
    assert status["users"] == [USER]
    assert status["volume"] == "devreg_registry"
    assert set(status["images"]) == {"nginx", "registry"}


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_anybody_may_read(server: Server, stored: dict[str, str], method: str) -> None:
    for path in stored.values():
        assert server.anybody(method, path, {"Accept": MANIFEST}).status == 200
    assert server.anybody("GET", "/v2/_catalog").status == 200
    assert server.anybody("GET", "/v2/stored/tags/list").status == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_nobody_may_write_without_a_password(server: Server, stored: dict[str, str], method: str) -> None:
    assert server.anybody(method, "/v2/", body=b"x").status == 405
    for path in ("/v2/stored/blobs/uploads/", "/v2/stored/manifests/1", stored["blob"], "/v2/token/", "/v2/x"):
        assert challenged(server.anybody(method, path, body=b"x"), server), f"{method} {path}"


@pytest.mark.parametrize(
    "claim",
    [
        "Bearer forged",
        "Bearer anonymous",
        "Bearer eyJhbGciOiJub25lIn0.e30.",
        "Basic Zm9yZ2VkOnBhc3N3b3Jk",
        "Bearer Zm9yZ2VkOnBhc3N3b3Jk",
        "Bearer",
        "Basic ",
        "Digest username=pusher",
    ],
)
def test_a_forged_claim_is_refused_on_a_write(server: Server, claim: str) -> None:
    answer = server.anybody("POST", "/v2/stored/blobs/uploads/", {"Authorization": claim})
    assert challenged(answer, server)


@pytest.mark.parametrize(
    "path",
    ["/v2/./x", "/v2/../v2/x", "/v2//x", "/v2/x%2f..%2fy", "/v2/x#", "//v2/x", "/v2/%2e%2e/x", "/v2/x%00"],
)
def test_a_path_that_nginx_and_the_registry_could_read_differently_is_refused(server: Server, path: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        assert server.anybody(method, path).status == 400, f"{method} {path}"


@pytest.mark.parametrize("header", ["X-Remote-User", "X-Forwarded-User", "Remote-User", "X-Original-Method"])
def test_a_header_of_the_clients_own_opens_nothing(server: Server, header: str) -> None:
    assert challenged(server.anybody("POST", "/v2/stored/blobs/uploads/", {header: USER}), server)


def test_the_ping_asks_for_a_token_and_takes_it(server: Server) -> None:
    assert challenged(server.anybody("GET", "/v2/"), server)
    assert server.anybody("GET", "/v2/", {"Authorization": "Bearer anonymous"}).status == 200
    assert server.pusher("GET", "/v2/").status == 200
    assert server.anybody("GET", "/v2/", basic(USER, "wrong")).status == 401


def test_tokens(server: Server) -> None:
    anonymous = server.anybody("GET", "/v2/token?service=devreg&scope=repository:stored:pull")
    assert anonymous.status == 200
    assert anonymous.document["token"] == anonymous.document["access_token"] == "anonymous"
    mine = server.pusher("GET", "/v2/token?service=devreg&scope=repository:stored:pull,push")
    assert mine.status == 200
    token = {"Authorization": f"Bearer {mine.document['token']}"}
    assert Wire(server.address, token)("POST", "/v2/stored/blobs/uploads/").status == 202


@pytest.mark.parametrize(("user", "password"), [(USER, "wrong"), (USER, ""), ("nobody", PASSWORD), ("", "")])
def test_a_wrong_password_gets_no_token_and_a_reason_in_json(server: Server, user: str, password: str) -> None:
    answer = server.anybody("GET", "/v2/token", basic(user, password))
    assert answer.status == 401
    (error,) = answer.document["errors"]
    assert error["code"] == "UNAUTHORIZED"
    # With the code's own default message and no detail engine 20.10 takes the error for one that may pass: it tries
    # again for 50 seconds before it tells the user.
    assert error["message"] != "authentication required"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_tokens_are_asked_for_with_get_only(server: Server, method: str) -> None:
    # With 200 for a POST an OAuth2 client would take the anonymous token for its password's.
    answer = server.anybody(method, "/v2/token", body=b"grant_type=password")
    assert answer.status == 405
    assert "errors" in answer.document


@pytest.mark.parametrize("agent", ["docker/1.5.0", "docker/1.3.2", "docker/1.4.1 go/x", "Go 1.1 package http"])
def test_old_docker_is_turned_away(server: Server, agent: str) -> None:
    for path in ("/v2/", "/v2/_catalog", "/v2/token"):
        answer = server.anybody("GET", path, {"User-Agent": agent})
        assert answer.status == 404
        assert answer.all(VERSION) == ["registry/2.0"]


@pytest.mark.parametrize("agent", ["docker/1.5.1-dev", "docker/1.6.0", "docker/20.10.24 go/x", "Go-http-client/1.1"])
def test_other_clients_are_not(server: Server, agent: str) -> None:
    assert server.anybody("GET", "/v2/_catalog", {"User-Agent": agent}).status == 200


def test_every_answer_names_the_version_of_the_api_once(server: Server, stored: dict[str, str]) -> None:
    upload = server.pusher("POST", "/v2/stored/blobs/uploads/")
    answers = {
        "ping": server.pusher("GET", "/v2/"),
        "challenged ping": server.anybody("GET", "/v2/"),
        "challenged write": server.anybody("POST", "/v2/stored/blobs/uploads/"),
        "unknown repository": server.anybody("GET", "/v2/nothing/tags/list"),
        "unknown blob": server.anybody("GET", f"/v2/stored/blobs/sha256:{'0' * 64}"),
        "blob": server.anybody("GET", stored["blob"]),
        "manifest": server.anybody("HEAD", stored["manifest"], {"Accept": MANIFEST}),
        "upload": upload,
        "token": server.anybody("GET", "/v2/token"),
        "wrong password": server.anybody("GET", "/v2/token", basic(USER, "wrong")),
        "token by POST": server.anybody("POST", "/v2/token"),
        "refused method": server.pusher("PUT", "/v2/stored/tags/list"),
        "outside of the API": server.anybody("GET", "/"),
        "old Docker": server.anybody("GET", "/v2/", {"User-Agent": "docker/1.5.0"}),
    }
    wrong = {name: answer for name, answer in answers.items() if answer.all(VERSION) != ["registry/2.0"]}
    assert not wrong
    assert answers["refused method"].status == 405


def test_the_registry_is_reached_through_nginx_only(server: Server) -> None:
    with client(server.engine) as sdk:
        registry = sdk.containers.get("devreg-registry")
        pid = registry.attrs["State"]["Pid"]
        (network,) = registry.attrs["NetworkSettings"]["Networks"].values()
    tables = Path(f"/proc/{pid}/net/tcp").read_text() + Path(f"/proc/{pid}/net/tcp6").read_text()
    local = {line.split()[1] for line in tables.splitlines() if line.split()[3:4] == ["0A"]}
    # The engine's own resolver listens in the container, on 127.0.0.11; the registry tells there how busy it is, at
    # 127.0.0.1:5001, which no other container reaches and which knows nothing of images.
    assert {address for address in local if not address.startswith("0B00007F")} == {"0100007F:1389"}
    code, said = registry.exec_run(["busybox", "wget", "-O-", "http://127.0.0.1:5001/v2/"])
    assert code != 0
    assert b"404" in said
    with pytest.raises(OSError, match="refused"):
        socket.create_connection((network["IPAddress"], 5000), timeout=5)


def test_a_big_blob_is_streamed_in_chunks_and_not_kept_by_nginx(server: Server) -> None:
    sizes: list[int] = []

    def chunks() -> Iterator[bytes]:
        for n in range(BIG):
            yield bytes([n % 251]) * MEGABYTE
            if n == BIG // 2:
                sizes.extend([upload_size(server), temporary_size(server)])

    location = server.pusher.begin_upload("big")
    done = server.pusher("PATCH", location, {"Content-Type": "application/octet-stream"}, chunks())
    assert done.status == 202
    assert done.one("Range") == f"0-{BIG * MEGABYTE - 1}"
    assert sizes[0] > BIG * MEGABYTE // 4, "in the middle of the upload the registry had not got it yet"
    assert sizes[1] < MEGABYTE, "nginx keeps the upload in a file of its own"
    again = done.one("Location").removeprefix(f"http://{server.address}")
    assert server.pusher("DELETE", again).status == 204


def upload_size(server: Server) -> int:
    """The bytes of unfinished uploads in the registry's volume."""
    volume = server.engine.root / "data/volumes/devreg_registry/_data"
    return sum(file.stat().st_size for file in volume.glob("**/_uploads/*/data"))


def temporary_size(server: Server) -> int:
    """The bytes that nginx has written into its container, deleted files that it still holds open included."""
    with client(server.engine) as sdk:
        top = sdk.containers.get("devreg-nginx").top(ps_args="-o pid")
    pids = [row[0] for row in top["Processes"]]
    files = [file for pid in pids for file in Path(f"/proc/{pid}/fd").iterdir()]
    targets = {str(file.readlink()): file for file in files}
    return sum(file.stat().st_size for name, file in targets.items() if name.startswith("/var/"))


def test_users_come_and_go_at_once(server: Server, admin: Devreg) -> None:
    before = container_ids(server)
    second = Wire(server.address, basic("second", "first password"))
    assert second("POST", "/v2/x/blobs/uploads/").status == 401
    added = admin.ok("registry", "user", "add", "second", "--password-stdin", "--json", input="first password\n")
    assert added.document["changed"] is True
    assert second("POST", "/v2/x/blobs/uploads/").status == 202
    assert admin.ok("registry", "user", "list").stdout.split() == [USER, "second"]
    admin.ok("registry", "user", "add", "second", "--password-stdin", input="other password\n")
    assert second("POST", "/v2/x/blobs/uploads/").status == 401
    admin.ok("registry", "user", "remove", "second")
    assert Wire(server.address, basic("second", "other password"))("POST", "/v2/x/blobs/uploads/").status == 401
    assert server.pusher("POST", "/v2/x/blobs/uploads/").status == 202
    assert admin.ok("registry", "user", "list", "--json").data["users"] == [USER]
    admin.fails(22, "registry", "user", "remove", "second")
    assert container_ids(server) == before


def test_the_users_file_is_one_that_htpasswd_knows_and_not_for_everybody(server: Server) -> None:
    file = server.engine.root / "data/volumes/devreg_users/_data/htpasswd"
    htpasswd = need("htpasswd", "apache2-utils")
    run(htpasswd, "-vb", file, USER, PASSWORD)
    assert run(htpasswd, "-vb", file, USER, "wrong", check=False).returncode == 3
    assert file.read_text().startswith(f"{USER}:$2y$")
    assert file.stat().st_mode & 0o007 == 0
    assert PASSWORD not in file.read_text()


@pytest.mark.parametrize("name", ["", "a:b", "a b", "ü", "x" * 65, "a/b", "../x", "a\nb"])
def test_a_name_that_nobody_could_use_is_refused(admin: Devreg, name: str) -> None:
    admin.fails(2, "registry", "user", "add", "--password-stdin", "--", name, input="secret\n")


def test_logs(server: Server, admin: Devreg) -> None:
    server.anybody("GET", "/v2/_catalog", {"User-Agent": "a-reader-of-logs"})
    assert "a-reader-of-logs" in admin.ok("registry", "logs", "nginx").stdout
    assert len(admin.ok("registry", "logs", "registry", "--tail", "1").stdout.splitlines()) == 1
    assert PASSWORD not in admin.ok("registry", "logs", "nginx").said
    assert PASSWORD not in admin.ok("registry", "logs", "registry").said
