"""TAB in real bash, zsh and fish, at a terminal, after `devreg completion install`."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import pytest

from devreg.host.names_cache import NamesCache
from devreg.model.address import Address
from tests.live.conftest import IMAGE, Server
from tests.live.lab.devreg import Devreg
from tests.live.lab.front import Front
from tests.live.lab.run import need, search_path
from tests.live.lab.terminal import Terminal, terminal

SHELLS = ("bash", "zsh", "fish")
LINE_START, LINE_END, LINE_KILL = "\x01", "\x05", "\x15"  # Ctrl-A, Ctrl-E, Ctrl-U
SECONDS = 60
NOBODY = "127.0.0.1:1"
CASES = {
    "a command": ("devreg ret", ["retag"]),
    "a command of a group": ("devreg registry sta", ["registry", "status"]),
    "an option": ("devreg tags --rev", ["tags", "--reverse"]),
    "a choice": ("devreg tags --sort sem", ["tags", "--sort", "semver"]),
    "a choice after =": ("devreg tags --sort=sem", ["tags", "--sort=semver"]),
    "a repository": ("devreg tags tea", ["tags", "team/app"]),
    "a tag": ("devreg pull team/app:1.1", ["pull", "team/app:1.10"]),
    "the second of several": ("devreg rm team/app:1.9 team/app:lat", ["rm", "team/app:1.9", "team/app:latest"]),
    "a registry": ("devreg login reg.", ["login", "reg.example:5000"]),
    "a registry before a repository": ("devreg tags reg.", ["tags", "reg.example:5000/"]),
    "a repository elsewhere": ("devreg tags reg.example:5000/ot", ["tags", "reg.example:5000/other"]),
    "a tag elsewhere": ("devreg inspect reg.example:5000/other:n", ["inspect", "reg.example:5000/other:new"]),
    "by --registry": ("devreg tags -r reg.example:5000 ot", ["tags", "-r", "reg.example:5000", "other"]),
    "--registry=": ("devreg tags --registry=reg.ex", ["tags", "--registry=reg.example:5000"]),
    "a local image": ("devreg push loc", ["push", "local/image:1"]),
    "a local image's tag": ("devreg diff local/image:", ["diff", "local/image:1"]),
    "an archive": ("devreg push ./arch", ["push", "./archive.tar"]),
    "a file": ("devreg push x --digest-file arch", ["push", "x", "--digest-file", "archive.tar"]),
    "a setting": ("devreg config set regi", ["config", "set", "registry"]),
    "nothing": ("devreg pull nobody/kno", ["pull", "nobody/kno"]),
    "no file where none fits": ("devreg pull arch", ["pull", "arch"]),
}


@contextmanager
def at_a_shell(user: Devreg, shell: str, registry: str = NOBODY) -> Iterator[Terminal]:
    """A shell of the user's, started after the installation, in a folder with `archive.tar`."""
    user.ok("completion", "install", shell)
    programs, folder = user.folder / "bin", user.folder / "work"
    for each in (programs, folder):
        each.mkdir()
    (folder / "archive.tar").touch()
    program = programs / "devreg"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m devreg "$@"\n')
    program.chmod(0o755)
    env = {**user.env, "PATH": search_path(programs), "LANG": "C.UTF-8", "DEVREG_REGISTRY": registry}
    with terminal(need(shell, shell), "-i", env=env, folder=folder) as screen:
        screen.type("printf '<%s>' ready\r")
        screen.until("<ready>")
        yield screen


def completed(screen: Terminal, line: str) -> list[str]:
    """The words after `devreg` once TAB was pressed. `printf` is put before them: the shell tells what they are."""
    screen.type(f"{LINE_KILL}{line}\t{LINE_START}printf '<%s>' {LINE_END} :end\r")
    return screen.until("<devreg><(.*)><:end>")[1].split("><")


def completes(screen: Terminal, line: str, words: list[str]) -> bool:
    """Whether TAB makes these of the line. On a machine that is busy it may do nothing: it is pressed again then."""
    latest = time.monotonic() + SECONDS
    while completed(screen, line) != words:
        if time.monotonic() > latest:
            return False
    return True


@pytest.fixture
def user(devreg: Devreg) -> Devreg:
    """A user of whose registries something is known. No engine answers: one would tell of other images."""
    with NamesCache(devreg.folder / "cache/devreg") as cache:
        default, other = Address.parse(NOBODY), Address.parse("reg.example:5000")
        cache.learn_repositories(default, ["team/app", "busybox", "$(touch pwned)", "`touch pwned`", "a b", "x;y"])
        cache.learn_tags(default, "team/app", dict.fromkeys(["1.9", "1.10", "latest"]))
        cache.learn_repositories(other, ["other"])
        cache.learn_tags(other, "other", dict.fromkeys(["new", "old"]))
        cache.learn_images(["local/image:1", "another:2"])
    return replace(devreg, host=f"unix://{devreg.folder}/no-engine")


@pytest.mark.parametrize("shell", SHELLS)
def test_what_is_known_is_completed(user: Devreg, shell: str) -> None:
    with at_a_shell(user, shell) as screen:
        wrong = [what for what, (line, words) in CASES.items() if not completes(screen, line, words)]
    assert wrong == []
    assert "rror" not in screen.seen
    assert not list(user.folder.rglob("pwned"))


@pytest.mark.parametrize("shell", SHELLS)
def test_names_are_fetched_in_the_background(devreg: Devreg, registries: Front, server: Server, shell: str) -> None:
    del registries  # IMAGE is in the server from here on
    repository = IMAGE.partition(":")[0]
    with at_a_shell(devreg, shell, server.address) as screen:
        assert completes(screen, f"devreg tags {repository[:3]}", ["tags", repository])
        assert completes(screen, f"devreg pull {repository}:", ["pull", IMAGE])
