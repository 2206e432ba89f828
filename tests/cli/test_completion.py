"""What devreg answers a shell, and `devreg completion`."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import pytest

from devreg.actions import refresh
from devreg.cli.offers import answer, offers
from devreg.cli.outline import known
from devreg.host.names_cache import NamesCache
from devreg.model.address import Address
from tests.cli import registry
from tests.cli.conftest import NOBODY, Run, Serve
from tests.cli.test_process import DEVREG, SECONDS

DEFAULT = Address.parse(NOBODY)
RC = b"# mine\r\nalias x=y\nno end of line"


@pytest.fixture
def cache(home: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of the names, with some in it. Nothing is begun in the background by this process."""
    monkeypatch.setattr("devreg.host.detached.begin", lambda *_, **__: False)
    with NamesCache() as cache:
        cache.learn_repositories(DEFAULT, ["team/app"])
        cache.learn_tags(DEFAULT, "team/app", {"1": None, "2": None})
        cache.learn_repositories(Address("reg.example", 5000), ["other"])
        cache.learn_images(["local:1"])
    return home / "cache/devreg/names.sqlite"


def offered(line: str) -> list[str]:
    """The words that are offered at the end of a line."""
    return [each.partition("\t")[0] for each in "".join(answer(known(), line)).splitlines()]


def tab(line: str, **environment: str | None) -> str:
    """What a process answers a shell; silent and well whatever happens."""
    variables = {**os.environ, "_DEVREG_COMPLETE": "bash", "_DEVREG_LINE": line, **environment}
    given = {name: value for name, value in variables.items() if value is not None}
    done = subprocess.run(DEVREG, env=given, input="", capture_output=True, text=True, timeout=SECONDS)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def answers(line: str, expected: str, **environment: str | None) -> bool:
    """Whether a process answers that. A busy machine may have no answer in time: it is asked again then."""
    latest = time.monotonic() + SECONDS
    while tab(line, **environment) != expected:
        if time.monotonic() > latest:
            return False
    return True


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("devreg qui", ["quickstart"]),
        ("devreg registry user re", ["remove"]),
        ("devreg config se", ["set"]),
        ("devreg config set reg", ["registry", "registry_image"]),
        ("devreg registry logs ", ["registry", "nginx", "mirror"]),
        ("devreg registry logs nginx ", []),
        ("devreg tags --so", ["--sort"]),
        ("devreg tags x --sort name --so", []),
        ("devreg tags --sort=name --so", []),
        ("devreg push x --ta", ["--tag"]),
        ("devreg push x --tag y --ta", ["--tag"]),
        ("devreg tags --sort s", ["size", "semver"]),
        ("devreg tags --sort=s", ["--sort=size", "--sort=semver"]),
        ("devreg trust --ca ", [":files"]),
        ("devreg trust --ca=", []),
        ("devreg no-such-command ", []),
        ("devreg no-such-command --json", []),
        ("devreg tags --no-such-option te", ["team/app"]),
        ("devreg tags te", ["team/app"]),
        ("devreg tags a b te", ["team/app"]),
        ("devreg tags -- te", ["team/app"]),
        ("devreg tags -- -", []),
        ("devreg diff -- --to ", []),
        ("devreg tags --json te", ["team/app"]),
        ("devreg tags -r reg.example:5000 o", ["other"]),
        ("devreg tags --registry=reg.example:5000 o", ["other"]),
        ("devreg pull 'team/app:", ["team/app:1", "team/app:2"]),
        ('devreg pull "team/app:1', ["team/app:1"]),
        (r"devreg pull team/app\:2", ["team/app:2"]),
        ("devreg latest team/app:", ["team/app:1", "team/app:2"]),
        ("devreg login reg", ["reg.example:5000"]),
        ("devreg push loc", ["local:1", ":files"]),
        ("devreg diff loc", ["local:1"]),
        ("devreg", []),
    ],
)
def test_what_is_offered(line: str, words: list[str]) -> None:
    assert offered(line) == words


def test_what_it_is_stands_beside_it() -> None:
    assert ("tags", "List the tags of repositories.") in next(offers(known(), [], "ta"))
    assert ("--json", "Print one JSON document.") in next(offers(known(), ["tags"], "--j"))
    assert "".join(answer(known(), "devreg untr")) == "untrust\tTake that trust away again.\n"


@pytest.mark.usefixtures("cache")
def test_a_process_answers_from_the_cache() -> None:
    assert answers("devreg pull team/app:", "team/app:1\nteam/app:2\n")


def test_a_cache_that_is_damaged_is_made_anew(cache: Path) -> None:
    cache.write_bytes(b"no database" * 1000)
    assert tab("devreg pull team/app:") == ""
    assert answers("devreg config set time", "timeout\tseconds to wait for an answer of a registry\n")


def test_a_cache_that_is_locked_is_not_waited_for(cache: Path) -> None:
    with closing(sqlite3.connect(cache, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert tab("devreg pull team/app:") == ""


@pytest.mark.usefixtures("cache")
def test_a_file_that_hangs_is_not_waited_for(home: Path) -> None:
    """As one on a network's disk may; nobody ever writes into this pipe."""
    (home / ".docker").mkdir()
    os.mkfifo(home / ".docker/config.json")
    assert tab("devreg login reg") == ""


@pytest.mark.usefixtures("cache")
@pytest.mark.parametrize(
    "environment",
    [
        {"HOME": "/proc/nowhere", "XDG_CACHE_HOME": None, "XDG_CONFIG_HOME": None},
        {"HOME": None, "XDG_CACHE_HOME": "/proc/nowhere"},
        {"DEVREG_REGISTRY": "not an address"},
        {"DOCKER_CONFIG": "/proc/1/mem"},
        {"_DEVREG_COMPLETE": ""},
        {"LC_ALL": "C"},
    ],
    ids=str,
)
@pytest.mark.parametrize("line", ["devreg pull no/such:", "devreg login no-such"])
def test_no_trouble_is_told(environment: dict[str, str | None], line: str) -> None:
    assert tab(line, **environment) == ""


@pytest.mark.usefixtures("cache")
def test_settings_that_are_broken_are_no_trouble(home: Path) -> None:
    folder = home / "config/devreg"
    folder.mkdir(parents=True)
    (folder / "config.toml").write_text("[")
    assert tab("devreg pull no/such:", DEVREG_REGISTRY=None) == ""
    assert answers("devreg login reg", "reg.example:5000\n", DEVREG_REGISTRY=None)


def test_names_are_fetched_from_the_registry(serve: Serve) -> None:
    server = serve(registry.answer)
    refresh.repositories(server.host)
    refresh.tags(server.host, "team/app")
    assert offered("devreg tags te") == ["team/app"]
    with NamesCache() as cache:
        tags = list(cache.tags(Address.parse(server.host), "team/app"))
    assert tags
    assert offered("devreg pull team/app:") == sorted(f"team/app:{tag}" for tag in tags)


def test_a_background_process_that_fails_says_nothing() -> None:
    words = [sys.executable, "-m", "devreg.actions.refresh", "repositories", NOBODY]
    done = subprocess.run(words, input="", capture_output=True, text=True, timeout=SECONDS)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("shell", ["bash", "zsh", "powershell"])
def test_a_start_up_file_keeps_all_that_was_in_it(
    run: Run, home: Path, shell: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devreg.actions.completion._BASH_COMPLETION", ())
    startup = home / {"bash": ".bashrc", "zsh": ".zshrc", "powershell": "config/powershell/profile.ps1"}[shell]
    startup.parent.mkdir(parents=True, exist_ok=True)
    real = home / "dotfiles"
    real.write_bytes(RC)
    real.chmod(0o640)
    startup.symlink_to(real)
    first = run("completion", "install", shell, "--json")
    assert first.document["changed"]
    assert first.data["startup"] == str(startup)
    assert Path(first.data["file"]).read_text() == run("completion", "show", shell).out
    changed = real.read_bytes()
    assert changed.startswith(RC + b"\n")
    assert changed.count(b"\n") == RC.count(b"\n") + 2
    assert first.data["file"].encode() in changed
    assert not run("completion", "install", shell, "--json").document["changed"]
    assert real.read_bytes() == changed
    assert stat.S_IMODE(real.stat().st_mode) == 0o640
    assert startup.is_symlink()
    assert [each.read_bytes() for each in (home / "state/devreg/backups").iterdir()] == [RC]
    assert run("completion", "uninstall", shell, "--json").document["changed"]
    assert real.read_bytes() == RC + b"\n"
    assert not Path(first.data["file"]).exists()
    assert not run("completion", "uninstall", shell, "--json").document["changed"]


def test_shells_that_find_the_script_need_no_start_up_file(
    run: Run, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("devreg.actions.completion._BASH_COMPLETION", (home,))
    assert run("completion", "install", "bash", "--json").data["startup"] is None
    assert run("completion", "install", "fish", "--json").data["startup"] is None
    assert (home / "data/bash-completion/completions/devreg").exists()
    assert (home / "config/fish/completions/devreg.fish").exists()
    assert not (home / ".bashrc").exists()


def test_a_line_for_another_place_is_replaced(run: Run, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("completion", "install", "zsh")
    monkeypatch.setenv("XDG_DATA_HOME", str(home / "it's elsewhere"))
    run("completion", "install", "zsh")
    (line,) = (home / ".zshrc").read_text().splitlines()
    assert "elsewhere" in line


def test_what_was_done_and_what_is_to_do_is_said(run: Run) -> None:
    done = run("completion", "install", "zsh")
    assert done.code == 0
    assert ".zshrc" in done.out
    assert "source " in done.err
    assert "it did so before" in run("completion", "install", "zsh").out
    assert run("completion", "uninstall", "fish").out == "there was no completion\n"


def test_the_shell_that_calls_is_meant() -> None:
    """Not the one that the user logs in with."""
    script = '"$@"; true'  # bash would become the program that it ends with
    words = ["bash", "-c", script, "bash", *DEVREG, "completion", "show"]
    done = subprocess.run(words, env={**os.environ, "SHELL": "/bin/zsh"}, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("# bash completion")


def test_else_the_users_own(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shellingham.detect_shell", lambda: ("dash", "/bin/dash"))
    monkeypatch.setenv("SHELL", "/usr/bin/pwsh")
    assert run("completion", "show").out.startswith("# PowerShell completion")
    monkeypatch.setenv("SHELL", "/bin/sh")
    outcome = run("completion", "show")
    assert outcome.code == 2
    assert "powershell" in outcome.err


def test_a_start_up_file_that_cannot_be_written_is_told(run: Run, home: Path) -> None:
    (home / ".zshrc").mkdir()
    assert run("completion", "install", "zsh").code == 10
