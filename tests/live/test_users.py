"""Who may push where, on the real server: each way of writing, clients' words, secrets, and uploads meanwhile."""

import signal
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.live.conftest import Server, client
from tests.live.lab.clients import DockerCli
from tests.live.lab.devreg import Devreg, user_of
from tests.live.lab.images import multi_layer_image
from tests.live.lab.killed_reload import killed_reload
from tests.live.lab.run import need, run
from tests.live.lab.wire import Answer, Wire, basic
from tests.live.test_server import container_ids

SECRET = "team-members-secret-48151623"
BLOB = f"sha256:{'0' * 64}"


@pytest.fixture(scope="module")
def admin(server: Server, tmp_path_factory: pytest.TempPathFactory) -> Devreg:
    """Who runs the server."""
    return user_of(server.engine, tmp_path_factory.mktemp("admin") / "home")


@pytest.fixture(scope="module")
def member(server: Server, admin: Devreg) -> Iterator[Wire]:
    """One who may push to team/* and to app."""
    before = container_ids(server)
    words = ("registry", "user", "add", "member", "--push", "team/*", "--push", "app", "--password-stdin")
    admin.ok(*words, input=SECRET)
    yield Wire(server.address, basic("member", SECRET))
    admin.ok("registry", "user", "remove", "member")
    assert container_ids(server) == before, "nothing is restarted"


def denied(answer: Answer) -> bool:
    return answer.status == 403 and answer.document["errors"][0]["code"] == "DENIED"


@pytest.mark.parametrize("repository", ["team/x", "team/x/y", "team/blobs/uploads", "app"])
def test_within_the_rules_everything_works(member: Wire, repository: str) -> None:
    manifest = member.image(repository, "2026-01-01T00:00:00Z", [b"layer"])
    digest = member.put_manifest(repository, "1", manifest)
    assert member("DELETE", f"/v2/{repository}/manifests/{digest}").status == 202


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "blobs/uploads/"),
        ("POST", f"blobs/uploads/?mount={BLOB}&from=team/x"),
        ("POST", f"blobs/uploads/?digest={BLOB}"),
        ("PATCH", "blobs/uploads/7c0d3e1e-5a4b-4c3d-8e2f-1a2b3c4d5e6f?_state=team/x"),
        ("PUT", f"blobs/uploads/7c0d3e1e-5a4b-4c3d-8e2f-1a2b3c4d5e6f?digest={BLOB}"),
        ("DELETE", "blobs/uploads/7c0d3e1e-5a4b-4c3d-8e2f-1a2b3c4d5e6f"),
        ("PUT", "manifests/1"),
        ("DELETE", "manifests/1"),
        ("DELETE", f"blobs/{BLOB}"),
        ("POST", "tags/list"),
        ("OPTIONS", "manifests/1"),
    ],
)
def test_elsewhere_every_way_of_writing_is_denied(server: Server, member: Wire, method: str, path: str) -> None:
    for repository in ("other", "team", "teams/x", "my/team/x", "app/x", "x/app", "app/manifests", "te%61ms", "Team/x"):
        answer = member(method, f"/v2/{repository}/{path}", body=b"x")
        assert denied(answer), f"{repository}: {answer}"
        assert server.pusher(method, f"/v2/{repository}/{path}", body=b"x").status not in (401, 403)


def test_an_encoded_name_is_the_name(member: Wire) -> None:
    assert member("POST", "/v2/te%61m/x/blobs/uploads/").status == 202
    assert denied(member("POST", "/v2/%6fther/blobs/uploads/"))


def test_the_upload_of_another_repository_cannot_be_taken_over(server: Server, member: Wire) -> None:
    location = server.pusher.begin_upload("other")
    assert denied(member("PATCH", location, body=b"x"))
    moved = member("PATCH", location.replace("/v2/other/", "/v2/team/x/"), body=b"x")
    assert moved.status in (400, 404)


def test_a_mount_needs_the_right_to_its_target_only(server: Server, member: Wire) -> None:
    """Anybody may read, and so mount, what is in the repository that a layer is taken from."""
    blob = server.pusher.put_blob("other", b"to be mounted")
    mount = f"blobs/uploads/?mount={blob['digest']}&from=other"
    assert member("POST", f"/v2/team/x/{mount}").status == 201
    assert denied(member("POST", f"/v2/other/{mount.replace('from=other', 'from=team/x')}"))


def test_a_wrong_password_is_still_one_and_reads_stay_open(server: Server, member: Wire) -> None:
    wrong = Wire(server.address, basic("member", "wrong"))
    assert wrong("POST", "/v2/other/blobs/uploads/").status == 401
    assert wrong("GET", "/v2/").status == 401
    assert member("GET", "/v2/").status == 200
    assert member("GET", "/v2/_catalog").status == 200
    assert member("GET", "/v2/token?scope=repository:other:push,pull").status == 200


def test_a_header_of_the_clients_own_names_no_repository(member: Wire) -> None:
    assert denied(member("POST", "/v2/other/blobs/uploads/", {"X-Registry-Repository": "team/x"}))


def test_rules_are_changed_at_once(server: Server, admin: Devreg) -> None:
    user = ("registry", "user")
    admin.ok(*user, "add", "changing", "--push", "team/*", "--password-stdin", input=SECRET)
    changing = Wire(server.address, basic("changing", SECRET))
    assert changing("POST", "/v2/team/x/blobs/uploads/").status == 202
    admin.ok(*user, "rules", "changing", "other")
    assert changing("POST", "/v2/other/blobs/uploads/").status == 202
    assert denied(changing("POST", "/v2/team/x/blobs/uploads/"))
    assert "changing\tother\n" in admin.ok(*user, "list").stdout
    admin.ok(*user, "rules", "changing", "--everywhere")
    assert changing("POST", "/v2/team/x/blobs/uploads/").status == 202
    admin.ok(*user, "add", "changing", "--push", "x*", "--password-stdin", input=SECRET)
    assert denied(changing("POST", "/v2/team/x/blobs/uploads/"))
    admin.ok(*user, "passwd", "changing", "--password-stdin", input="another")
    assert changing("GET", "/v2/").status == 401
    renewed = Wire(server.address, basic("changing", "another"))
    assert denied(renewed("POST", "/v2/team/x/blobs/uploads/"))
    admin.ok(*user, "remove", "changing")
    admin.fails(22, *user, "passwd", "nobody", "--password-stdin", input="another")


def test_rules_that_a_killed_devreg_has_not_put_in_force_are_by_the_next(
    server: Server, admin: Devreg, tmp_path: Path
) -> None:
    admin.ok("registry", "user", "add", "other", "--push", "team/*", "--password-stdin", input=SECRET)
    other = Wire(server.address, basic("other", SECRET))
    dying = killed_reload(tmp_path / "dying")
    assert admin("registry", "user", "rules", "other", "app", env=dying).code == -signal.SIGKILL
    assert other("POST", "/v2/team/x/blobs/uploads/").status == 202, "nginx goes by the old rules"
    admin.ok("registry", "user", "rules", "other", "app")
    assert [other("POST", f"/v2/{name}/blobs/uploads/").status for name in ("team/x", "app")] == [403, 202]
    admin.ok("registry", "user", "remove", "other")


def test_an_upload_goes_on_while_rules_change(server: Server, admin: Devreg) -> None:
    """nginx is reloaded in the middle of a request that takes seconds."""
    location, begun, done = server.pusher.begin_upload("slow"), threading.Event(), threading.Event()

    def chunks() -> Iterator[bytes]:
        yield b"x" * 65536
        begun.set()
        while not done.wait(0.05):
            yield b"x" * 1024
        yield b"end"

    answers: list[Answer] = []
    sender = threading.Thread(target=lambda: answers.append(server.pusher("PATCH", location, body=chunks())))
    sender.start()
    assert begun.wait(30)
    for rule in ("one/*", "two/*"):
        admin.ok("registry", "user", "add", "late", "--push", rule, "--password-stdin", input=SECRET)
        late = Wire(server.address, basic("late", SECRET))
        assert late("POST", f"/v2/{rule[:3]}/x/blobs/uploads/").status == 202
        assert denied(late("POST", "/v2/team/x/blobs/uploads/"))
    assert sender.is_alive()
    done.set()
    sender.join(30)
    assert [each.status for each in answers] == [202]
    admin.ok("registry", "user", "remove", "late")


@pytest.mark.usefixtures("member")
def test_docker_and_skopeo_say_that_it_is_denied(server: Server, tmp_path: Path) -> None:
    docker = DockerCli(server.engine, server.address, tmp_path / "docker")
    assert docker.login("member", SECRET)
    assert docker.push("team/docker:1")
    with client(server.engine) as sdk:
        multi_layer_image(sdk, f"{server.address}/other/docker:1", 2, 0.1)
    env = {"DOCKER_HOST": server.engine.host, "DOCKER_CONFIG": str(tmp_path / "docker")}
    refused = run("/usr/bin/docker", "push", f"{server.address}/other/docker:1", env=env, check=False)
    assert refused.returncode == 1
    assert "denied: this user may not push to other/docker" in refused.stderr + refused.stdout
    source, target = f"docker://{server.address}/team/docker:1", f"docker://{server.address}/other/skopeo:1"
    words = ("copy", "--src-tls-verify=false", "--dest-tls-verify=false", "--dest-creds", f"member:{SECRET}")
    copied = run(need("skopeo", "skopeo"), *words, source, target, check=False)
    assert copied.returncode != 0
    assert "denied" in copied.stderr


def test_devreg_says_so_too(server: Server, member: Wire, devreg: Devreg) -> None:
    del member
    devreg.fails(21, "login", "-u", "member", "--password-stdin", input="wrong")
    devreg.ok("login", "-u", "member", "--password-stdin", input=SECRET)
    with client(server.engine) as sdk:
        multi_layer_image(sdk, "mine:1", 2, 0.1)
    assert "team/mine" in devreg.ok("push", "mine:1", "--as", "team/mine:1").stdout
    for route in ("engine", "direct"):
        done = devreg.fails(21, "push", "mine:1", "--as", "other/mine:1", "--via", route)
        assert "may not push to other/mine" in done.stderr


def test_a_password_is_in_no_command_line_and_no_log(server: Server, admin: Devreg, tmp_path: Path) -> None:
    """Every process of the machine is watched while users are added, changed and used."""
    secret, seen, over = "never-to-be-seen-31415926", set[str](), threading.Event()

    def watch() -> None:
        while not over.is_set():
            for process in Path("/proc").glob("[0-9]*"):
                for name in ("cmdline", "environ"):
                    try:
                        if secret.encode() in (process / name).read_bytes():
                            seen.add(f"{name} of {(process / 'comm').read_text().strip()}")
                    except OSError:
                        continue

    watcher = threading.Thread(target=watch)
    watcher.start()
    file = tmp_path / "password"
    file.write_text(secret)
    file.chmod(0o600)
    try:
        said = admin.ok("registry", "user", "add", "quiet", "--push", "q/*", "--password-stdin", input=secret).said
        said += admin.ok("registry", "user", "passwd", "quiet", "--password-file", str(file)).said
        quiet = Wire(server.address, basic("quiet", secret))
        assert quiet("POST", "/v2/q/x/blobs/uploads/").status == 202
        assert denied(quiet("POST", "/v2/other/blobs/uploads/"))
        said += admin.ok("registry", "user", "list").said
    finally:
        over.set()
        watcher.join()
        admin("registry", "user", "remove", "quiet")
    assert seen == set()
    encoded = basic("quiet", secret)["Authorization"].partition(" ")[2]
    logs = "".join(admin.ok("registry", "logs", role).said for role in ("nginx", "registry"))
    for text in (said, logs, server.engine.log.read_text(errors="replace")):
        assert secret not in text
        assert encoded not in text


def test_the_files_of_users_and_rules_are_not_for_everybody(server: Server, member: Wire) -> None:
    del member
    folder = server.engine.root / "data/volumes/devreg_users/_data"
    assert {file.name: file.stat().st_mode & 0o777 for file in folder.iterdir()} == {
        "htpasswd": 0o640,
        "push-rules.conf": 0o640,
        "unread": 0o640,
    }
