"""`devreg login` and `logout`: proven by a write, kept where Docker looks, told to nobody."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.live.conftest import PASSWORD, USER, Server
from tests.live.lab.clients import DockerCli
from tests.live.lab.devreg import Devreg
from tests.live.lab.run import run, search_path

OTHERS = {"auths": {"other.example:5000": {"auth": "b3RoZXI6c2VjcmV0"}}, "HttpHeaders": {"X-Meta": "kept"}}
HELPER = """#!/bin/sh
# Keeps one secret in a file for each registry, as the protocol of credential helpers has it.
echo "$1" >> {folder}/calls
case $1 in
  store) text=$(cat)
    name=$(echo "$text" | sed 's/.*"ServerURL": *"\\([^"]*\\)".*/\\1/' | tr / _)
    echo "$text" > {folder}/$name ;;
  get) name=$(cat | tr / _); test -e {folder}/$name || {{ echo "credentials not found in native keychain"; exit 1; }}
    cat {folder}/$name ;;
  erase) rm -f {folder}/$(cat | tr / _) ;;
  list) echo '{{}}' ;;
esac
"""


def login(devreg: Devreg, server: Server, password: str = PASSWORD, code: int = 0) -> str:
    words = ("login", server.address, "-u", USER, "--password-stdin")
    done = devreg.fails(code, *words, input=password) if code else devreg.ok(*words, input=password)
    assert password not in done.said
    return done.said


def helper(devreg: Devreg, script: str) -> tuple[Devreg, Path]:
    """The user with `docker-credential-lab` on the path, and the folder in which it keeps secrets."""
    folder = devreg.folder / "helper"
    folder.mkdir()
    program = folder / "docker-credential-lab"
    program.write_text(script.format(folder=folder))
    program.chmod(0o755)
    devreg.config_file.parent.mkdir(exist_ok=True)
    devreg.config_file.write_text(json.dumps({**OTHERS, "credsStore": "lab"}))
    return replace(devreg, path=search_path(folder)), folder


def can_push(devreg: Devreg, server: Server) -> bool:
    """Whether docker itself pushes with what devreg has stored."""
    return DockerCli(server.engine, server.address, devreg.config_file.parent).push("login-check:1")


def test_login_serves_docker_and_logout_ends_it(devreg: Devreg, server: Server) -> None:
    assert not can_push(devreg, server)
    said = login(devreg, server)
    assert str(devreg.config_file) in said
    assert devreg.config_file.stat().st_mode & 0o777 == 0o600
    assert can_push(devreg, server)
    assert devreg.ok("status", "--json").data["registry"]["username"] == USER
    assert devreg.ok("logout", "--json").document["changed"] is True
    assert devreg.ok("logout", "--json").document["changed"] is False
    assert not can_push(devreg, server)


def test_a_login_of_dockers_serves_devreg(devreg: Devreg, server: Server) -> None:
    assert DockerCli(server.engine, server.address, devreg.config_file.parent).login(USER, PASSWORD)
    assert devreg.ok("status", "--json").data["registry"]["username"] == USER
    assert devreg.ok("logout", "--json").document["changed"] is True


def test_login_leaves_no_repository_behind(devreg: Devreg, server: Server) -> None:
    login(devreg, server)
    assert not [each for each in server.anybody("GET", "/v2/_catalog").document["repositories"] if "probe" in each]


def test_a_wrong_password_changes_nothing(devreg: Devreg, server: Server) -> None:
    login(devreg, server, "wrong password", code=21)
    assert not devreg.config_file.exists()
    login(devreg, server)
    before = devreg.config_file.stat()
    login(devreg, server, "wrong password", code=21)
    after = devreg.config_file.stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert can_push(devreg, server)


def test_other_logins_and_settings_stay(devreg: Devreg, server: Server) -> None:
    devreg.config_file.parent.mkdir()
    devreg.config_file.write_text(json.dumps(OTHERS))
    devreg.config_file.chmod(0o644)
    login(devreg, server)
    config = devreg.config()
    assert devreg.config_file.stat().st_mode & 0o777 == 0o600
    assert config["HttpHeaders"] == OTHERS["HttpHeaders"]
    assert set(config["auths"]) == {"other.example:5000", server.address}
    devreg.ok("logout")
    assert devreg.config() == OTHERS


def test_a_config_that_is_a_link_stays_one(devreg: Devreg, server: Server) -> None:
    devreg.config_file.parent.mkdir()
    real = devreg.folder / "real.json"
    real.write_text("{}")
    devreg.config_file.symlink_to(real)
    login(devreg, server)
    assert devreg.config_file.is_symlink()
    assert server.address in json.loads(real.read_text())["auths"]


def test_a_damaged_config_is_left_alone(devreg: Devreg, server: Server) -> None:
    devreg.config_file.parent.mkdir()
    devreg.config_file.write_text("{ not json")
    login(devreg, server, code=10)
    assert devreg.config_file.read_text() == "{ not json"


def test_a_working_helper_keeps_the_password(devreg: Devreg, server: Server) -> None:
    user, folder = helper(devreg, HELPER)
    said = login(user, server)
    assert "docker-credential-lab" in said
    assert json.loads((folder / server.address).read_text())["Secret"] == PASSWORD
    assert user.config() == {**OTHERS, "credsStore": "lab"}
    assert user.ok("status", "--json").data["registry"]["username"] == USER
    with_image = DockerCli(server.engine, server.address, user.folder / "pusher")
    assert with_image.login(USER, PASSWORD)
    assert with_image.push("by-helper:1")
    assert user.ok("push", f"{server.address}/by-helper:1").stdout
    assert user.ok("logout", "--json").document["changed"] is True
    assert not (folder / server.address).exists()


@pytest.mark.parametrize("script", ["#!/bin/sh\necho no keychain >&2; exit 1\n", "#!/bin/sh\nkill -9 $$\n"])
def test_a_broken_helper_gives_way_to_the_file(devreg: Devreg, server: Server, script: str) -> None:
    user, _ = helper(devreg, script)
    assert str(user.config_file) in login(user, server)
    assert user.config_file.stat().st_mode & 0o777 == 0o600
    assert user.ok("status", "--json").data["registry"]["username"] == USER
    with_image = DockerCli(server.engine, server.address, user.folder / "pusher")
    assert with_image.login(USER, PASSWORD)
    assert with_image.push("without-helper:1")
    assert user.ok("push", f"{server.address}/without-helper:1").stdout


def test_a_helper_that_is_not_installed_gives_way_to_the_file(devreg: Devreg, server: Server) -> None:
    user, folder = helper(devreg, HELPER)
    shutil.rmtree(folder)
    assert str(user.config_file) in login(user, server)
    assert user.ok("status", "--json").data["registry"]["username"] == USER


def test_an_empty_password_and_no_terminal_are_refused(devreg: Devreg, server: Server) -> None:
    assert devreg("login", server.address, "-u", USER, "--password-stdin", input="").code in (2, 21)
    devreg.fails(2, "login", server.address, "-u", USER)
    assert not devreg.config_file.exists()


def test_the_password_is_in_no_file_but_the_login(devreg: Devreg, server: Server) -> None:
    login(devreg, server)
    found = run("grep", "-rlF", PASSWORD, devreg.folder, check=False)
    assert found.stdout == ""
