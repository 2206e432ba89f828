"""`devreg tag`, `push` and `pull`, through a graph-driver engine and one with the containerd image store."""

import json
import signal
import socketserver
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Thread

import pytest

from tests.live.conftest import PASSWORD, Server, client, free_port
from tests.live.lab.clients import DockerCli
from tests.live.lab.devreg import Devreg, unprivileged
from tests.live.lab.engine import Engine
from tests.live.lab.images import multi_layer_image
from tests.live.lab.run import run
from tests.live.lab.wire import OCI_MANIFEST

ENGINES = ("graph driver", "containerd store")
WAYS = ("engine", "direct")


@pytest.fixture(params=ENGINES)
def user(request: pytest.FixtureRequest, devreg: Devreg, newer_devreg: Devreg, server: Server) -> Devreg:
    """Somebody logged in at the server, with either engine."""
    chosen = devreg if request.param == ENGINES[0] else newer_devreg
    server.log_in(chosen)
    return chosen


@pytest.fixture
def engine_of_user(user: Devreg, engine: Engine, newer_engine: Engine) -> Engine:
    """The engine that `user` uses."""
    return engine if user.host == engine.host else newer_engine


@pytest.fixture
def image(user: Devreg, engine_of_user: Engine, request: pytest.FixtureRequest) -> Iterator[str]:
    """A local image of three layers that nobody has pushed; it leaves the engine after the test."""
    name = f"team/app{abs(hash(request.node.name))}:1.0"
    with client(engine_of_user) as sdk:
        yield multi_layer_image(sdk, name, 3, 0.5)
        image = sdk.images.get(name)
        for tag in image.tags:
            sdk.images.remove(tag, force=True)
    del user


def digest_in_registry(server: Server, repository: str, tag: str) -> str:
    return server.anybody.manifest(repository, tag).one("Docker-Content-Digest")


@pytest.mark.parametrize("via", WAYS)
def test_push_prints_the_digest_that_the_registry_has(user: Devreg, image: str, server: Server, via: str) -> None:
    repository, _, tag = image.partition(":")
    done = user.ok("push", image, "--via", via)
    assert done.stdout == f"{server.address}/{repository}@{digest_in_registry(server, repository, tag)}\n"
    assert f"pushing {image} to {server.address}/{repository}, {via}: as asked for\n" in done.stderr
    manifest = server.anybody.manifest(repository, tag).document
    assert len(manifest["layers"]) == 3


@pytest.mark.parametrize("via", WAYS)
def test_push_as_json(user: Devreg, image: str, engine: Engine, server: Server, via: str) -> None:
    repository, _, tag = image.partition(":")
    first = user.ok("push", image, "--json", "--via", via).document
    assert (first["schema"], first["command"], first["ok"], first["changed"]) == ("devreg/1", "push", True, True)
    (pushed,) = first["data"]["pushed"]
    assert pushed["image"] == image
    assert pushed["reference"] == f"{server.address}/{image}"
    assert pushed["digest"] == digest_in_registry(server, repository, tag)
    assert pushed["route"] == via
    # The containerd store tells of no bytes for what is done within a moment.
    assert pushed["bytes_sent"] > 0 or (via == "engine" and user.host != engine.host)
    assert pushed["layers"] == {"sent": 3, "mounted": 0, "existing": 0}
    (again,) = user.ok("push", image, "--json", "--via", via).data["pushed"]
    assert again["layers"] == {"sent": 0, "mounted": 0, "existing": 3}
    assert again["bytes_sent"] == 0
    assert again["digest"] == pushed["digest"]


def test_the_way_and_its_reason_are_one_line(user: Devreg, image: str, engine: Engine, server: Server) -> None:
    way = "direct" if user.host == engine.host else "engine"  # what the containerd store has is compressed
    said = user.ok("push", image).stderr
    (line,) = [line for line in said.splitlines() if f"pushing {image} to {server.address}/" in line]
    assert f", {way}: " in line
    assert ", direct: it is there already\n" in user.ok("push", image).stderr


def test_a_pushed_image_comes_back_by_pull(user: Devreg, image: str, engine_of_user: Engine, server: Server) -> None:
    reference = user.ok("push", image).stdout.strip()
    user.ok("logout")
    with client(engine_of_user) as sdk:
        sdk.images.remove(f"{server.address}/{image}", force=True)
        sdk.images.remove(image, force=True)
        assert user.ok("pull", image).stdout.strip() == reference
        assert user.ok("pull", image, "--json").document["changed"] is False
        assert user.ok("pull", reference).stdout.strip() == reference
        sdk.images.get(f"{server.address}/{image}").tag(image)


def test_an_image_that_devreg_pushed_is_pulled_by_the_other_engine(
    user: Devreg, image: str, engine: Engine, newer_engine: Engine, server: Server, tmp_path: Path
) -> None:
    user.ok("push", image)
    other = newer_engine if user.host == engine.host else engine
    assert DockerCli(other, server.address, tmp_path / "other").pull(image)


def test_several_images_in_one_call(user: Devreg, image: str, engine_of_user: Engine, server: Server) -> None:
    second = image.replace("app", "second")
    with client(engine_of_user) as sdk:
        sdk.images.get(image).tag(second)
        done = user.ok("push", image, second)
    lines = done.stdout.splitlines()
    assert [line.partition("@")[0] for line in lines] == [
        f"{server.address}/{name.partition(':')[0]}" for name in (image, second)
    ]


def test_what_fails_does_not_keep_the_others_from_being_pushed(user: Devreg, image: str, server: Server) -> None:
    done = user.fails(1, "push", "not/here:1", image)
    assert done.stdout.startswith(f"{server.address}/{image.partition(':')[0]}@sha256:")
    assert "not/here:1" in done.stderr
    as_json = user.fails(1, "push", "not/here:1", image, "--json").document
    assert as_json["ok"] is False
    assert len(as_json["data"]["pushed"]) == 1
    assert as_json["errors"][0]["code"] == "not-found"


def test_push_to_a_registry_and_a_prefix(user: Devreg, image: str, server: Server) -> None:
    repository, _, tag = image.partition(":")
    elsewhere = {"DEVREG_REGISTRY": "127.0.0.1:1"}
    done = user.ok("push", image, "--to", f"{server.address}/mirror/of", env=elsewhere)
    assert done.stdout.startswith(f"{server.address}/mirror/of/{repository}@sha256:")
    assert digest_in_registry(server, f"mirror/of/{repository}", tag) == done.stdout.strip().partition("@")[2]


def test_a_name_that_carries_a_registry_keeps_it(user: Devreg, image: str, server: Server) -> None:
    elsewhere = {"DEVREG_REGISTRY": "127.0.0.1:1"}
    named = f"{server.address}/{image}"
    assert user.ok("tag", image, named, env=elsewhere).stdout.strip() == named
    assert user.ok("push", named, env=elsewhere).stdout.startswith(named.rpartition(":")[0])


def test_tag_gives_the_name_in_the_registry(user: Devreg, image: str, engine_of_user: Engine, server: Server) -> None:
    assert user.ok("tag", image).stdout == f"{server.address}/{image}\n"
    document = user.ok("tag", image, "other:2", "--json").document
    assert document["data"]["reference"] == f"{server.address}/other:2"
    with client(engine_of_user) as sdk:
        assert {f"{server.address}/{image}", f"{server.address}/other:2"} <= set(sdk.images.get(image).tags)


@pytest.mark.parametrize("via", WAYS)
def test_push_without_login_ends_with_the_registrys_reason(user: Devreg, image: str, server: Server, via: str) -> None:
    user.ok("logout")
    done = user.fails(21, "push", image, "--via", via)
    assert "log in" in done.stderr.lower() or "authoriz" in done.stderr.lower()
    assert f"devreg login {server.address}" in done.stderr


def test_push_with_an_old_password_ends_with_the_registrys_reason(user: Devreg, image: str, server: Server) -> None:
    config = user.config()
    config["auths"][server.address]["auth"] = "cHVzaGVyOm9sZA=="  # pusher:old
    user.config_file.write_text(json.dumps(config))
    document = user.fails(21, "push", image, "--json").document
    assert document["ok"] is False
    assert document["errors"][0]["code"] == "not-authorized"
    assert f"devreg login {server.address}" in document["errors"][0]["hint"]
    assert "cHVzaGVyOm9sZA==" not in str(document)


def test_unknown_images(devreg: Devreg) -> None:
    assert "nobody/has:this" in devreg.fails(22, "push", "nobody/has:this").stderr
    assert "nobody/has:this" in devreg.fails(22, "tag", "nobody/has:this").stderr
    assert "nobody/has:this" in devreg.fails(22, "pull", "nobody/has:this").stderr


@pytest.mark.parametrize("name", ["Upper:1", "a b", "", "x@sha256:1", "http://h/x", "-x", "x:", "x:" + "y" * 129])
def test_a_name_that_is_none_is_refused(devreg: Devreg, name: str) -> None:
    devreg.fails(2, "push", "--", name)


def test_a_registry_that_is_down(user: Devreg, image: str) -> None:
    nowhere = f"127.0.0.1:{free_port()}"
    assert nowhere in user.fails(20, "repos", nowhere).stderr
    assert nowhere in user.fails(20, "pull", f"{nowhere}/{image}").stderr
    for via, code in (("auto", 23), ("engine", 23), ("direct", 20)):
        assert nowhere in user.fails(code, "push", image, "--to", nowhere, "--via", via).stderr


def test_a_registry_that_ends_in_the_middle_of_an_upload(newer_devreg: Devreg, newer_engine: Engine) -> None:
    # With this engine only: the older one tries for a minute.
    with client(newer_engine) as sdk:
        name = multi_layer_image(sdk, "cut:1", 2, 0.1)
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Cut) as listener:
        thread = Thread(target=listener.serve_forever)
        thread.start()
        try:
            to = f"127.0.0.1:{listener.server_address[1]}"
            newer_devreg.fails(23, "push", name, "--to", to, "--via", "engine")
        finally:
            listener.shutdown()
            thread.join()


class Cut(socketserver.StreamRequestHandler):
    """Answers the ping like a registry and hangs up on everything else."""

    def handle(self) -> None:
        line = self.rfile.readline()
        if b" /v2/ " in line:
            self.wfile.write(
                b"HTTP/1.1 200 OK\r\nDocker-Distribution-Api-Version: registry/2.0\r\n"
                b"Content-Length: 2\r\nConnection: close\r\n\r\n{}"
            )


def test_no_engine(devreg: Devreg, tmp_path: Path) -> None:
    nobody = {"DOCKER_HOST": f"unix://{tmp_path}/nobody.sock"}
    for words in (("push", "x"), ("pull", "x"), ("tag", "x"), ("registry", "up"), ("trust", "a:1"), ("quickstart",)):
        done = devreg(*words, env=nobody)
        assert done.code == 13, f"{words}: {done}"
        assert len(done.stderr.strip().splitlines()) == 2, done.stderr


def test_no_permission_on_the_socket(devreg: Devreg) -> None:
    done = run(*unprivileged(devreg.command("push", "x")), check=False)
    assert done.returncode == 13
    assert "socket" in done.stderr
    assert "usermod" in done.stderr


def test_ctrl_c_ends_a_push_cleanly(user: Devreg, engine_of_user: Engine, server: Server) -> None:
    """The engine's: for the other see test_push_killed.py."""
    with client(engine_of_user) as sdk:
        name = multi_layer_image(sdk, f"interrupted{ENGINES.index(engine_name(user, server))}:1", 2, 25)
    process = user.start("push", name, "--via", "engine")
    assert process.stderr is not None
    while "pushing" not in process.stderr.readline():
        assert process.poll() is None
    time.sleep(0.3)
    process.send_signal(signal.SIGINT)
    stdout, stderr = process.communicate(timeout=60)
    assert process.returncode != 0, "the push was over before it was interrupted: make the image bigger"
    assert process.returncode == 130
    assert stdout == ""
    assert "interrupted" in stderr
    assert "Traceback" not in stderr
    assert user.ok("push", name).stdout.startswith(f"{server.address}/interrupted")
    with client(engine_of_user) as sdk:
        for tag in sdk.images.get(name).tags:
            sdk.images.remove(tag, force=True)


def engine_name(user: Devreg, server: Server) -> str:
    return ENGINES[user.host != server.engine.host]


def test_passwords_are_in_no_output_and_in_no_process_list(user: Devreg, image: str, server: Server) -> None:
    """One user's push goes directly, the other's by the engine."""
    encoded = str(user.config()["auths"][server.address]["auth"])
    process = user.start("push", image)
    listed = ""
    while process.poll() is None:
        listed += "".join(words(entry) for entry in Path("/proc").iterdir() if entry.name.isdigit())
        time.sleep(0.02)
    stdout, stderr = process.communicate()
    assert process.returncode == 0
    calls = (("status",), ("config", "--json"), ("tags", image.partition(":")[0]), ("repos", "--json"))
    said = stdout + stderr + "".join(user.ok(*call).said for call in calls)
    for secret in (PASSWORD, encoded):
        assert secret not in listed
        assert secret not in said


def words(process: Path) -> str:
    try:
        return (process / "cmdline").read_bytes().decode(errors="replace")
    except OSError:
        return ""  # it ended while we looked


def test_the_newer_engine_pushes_what_it_stores(newer_devreg: Devreg, newer_engine: Engine, server: Server) -> None:
    server.log_in(newer_devreg)
    with client(newer_engine) as sdk:
        assert "io.containerd" in str(sdk.info()["DriverStatus"])
        name = multi_layer_image(sdk, "stored-as:1", 2, 0.1)
    newer_devreg.ok("push", name)
    manifest = server.anybody.manifest("stored-as", "1").document
    assert manifest["mediaType"] in (OCI_MANIFEST, "application/vnd.docker.distribution.manifest.v2+json")
