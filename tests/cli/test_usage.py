"""Words that cannot mean anything: the fault is named, code 2, and the way to the help."""

from __future__ import annotations

import re

import pytest
import typer

from devreg.cli.app import app
from tests.cli.conftest import Run

FAULTS: dict[str, tuple[tuple[str, ...], str]] = {
    "unknown command": (("pusch",), "pusch"),
    "unknown command of a group": (("registry", "upp"), "upp"),
    "unknown option": (("repos", "--detials"), "--detials"),
    "missing argument": (("tags",), "REPO"),
    "missing arguments": (("push",), "IMAGE"),
    "too many arguments": (("repos", "a", "b"), "b"),
    "option without its value": (("push", "app", "--to"), "--to"),
    "no such choice": (("registry", "up", "--images-from", "thin-air"), "thin-air"),
    "no number": (("registry", "logs", "--tail", "many"), "--tail"),
    "number out of range": (("registry", "logs", "--tail", "-1"), "--tail"),
    "address with a path": (("trust", "reg:5000/team"), "has a path"),
    "address in upper case": (("login", "Reg:5000", "-u", "a", "--password-stdin"), "upper-case"),
    "empty address": (("trust", ""), "it is empty"),
    "reference in upper case": (("tags", "Team/app"), "lower case"),
    "reference with a scheme": (("pull", "https://reg/app"), "no scheme"),
    "place to listen": (("registry", "up", "--listen", "here"), "port"),
    "destination": (("push", "app", "--to", "reg.example/Team"), "lower case"),
    "unknown setting": (("config", "set", "colour", "red"), "colour"),
    "setting that means nothing": (("config", "set", "timeout", "soon"), "soon"),
}


@pytest.mark.parametrize(("words", "fault"), FAULTS.values(), ids=FAULTS)
@pytest.mark.usefixtures("fake")
def test_the_fault_is_named(run: Run, words: tuple[str, ...], fault: str) -> None:
    outcome = run(*words, input="x\n")
    assert outcome.code == 2
    assert outcome.out == ""
    assert "Traceback" not in outcome.err
    what, then = outcome.err.rstrip("\n").split("\n")
    assert what.startswith("devreg: ")
    assert fault in what
    assert then.startswith("  next: ")


@pytest.mark.parametrize(("words", "fault"), FAULTS.values(), ids=FAULTS)
@pytest.mark.usefixtures("fake")
def test_the_fault_is_named_in_the_document(run: Run, words: tuple[str, ...], fault: str) -> None:
    outcome = run(words[0], "--json", *words[1:]) if words[0] not in ("registry", "config") else run(*words, "--json")
    assert outcome.code == 2
    [error] = outcome.document["errors"]
    assert error["code"] == "usage"
    knows_json = words[:2] != ("registry", "logs")
    assert (fault if knows_json else "--json") in error["message"]


def test_an_empty_address_is_not_the_default_one(run: Run) -> None:
    assert run("repos", "").code == 2


@pytest.mark.parametrize(
    ("variable", "value", "words", "fault"),
    [
        ("DEVREG_REGISTRY", "Reg", ("repos",), "registry (from DEVREG_REGISTRY)"),
        ("DEVREG_REGISTRY", "", ("tags", "app"), "registry (from DEVREG_REGISTRY)"),
        ("DEVREG_TIMEOUT", "0", ("repos",), "timeout (from DEVREG_TIMEOUT)"),
        ("DEVREG_TIMEOUT", "nan", ("repos",), "timeout (from DEVREG_TIMEOUT)"),
        ("DEVREG_LISTEN", "everywhere", ("registry", "up"), "listen (from DEVREG_LISTEN)"),
        ("DEVREG_NGINX_IMAGE", "NGINX", ("registry", "up"), "nginx_image (from DEVREG_NGINX_IMAGE)"),
    ],
)
@pytest.mark.usefixtures("fake")
def test_a_bad_setting_is_named_with_its_source(
    run: Run, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, words: tuple[str, ...], fault: str
) -> None:
    monkeypatch.setenv(variable, value)
    outcome = run(*words)
    assert outcome.code == 2
    assert fault in outcome.err


def test_the_hint_leads_to_the_help_of_the_command(run: Run) -> None:
    assert "`devreg registry up --help`" in run("registry", "up", "--nonsense").err
    assert "`devreg --help`" in run("nonsense").err


@pytest.mark.parametrize("words", [(), ("registry",), ("registry", "user")], ids=" ".join)
def test_a_group_without_a_command_shows_its_help_on_stderr(run: Run, words: tuple[str, ...]) -> None:
    outcome = run(*words)
    assert outcome.code == 2
    assert outcome.out == ""
    assert outcome.err.startswith(f"Usage: {' '.join(['devreg', *words])} ")


@pytest.mark.parametrize("word", ["--help", "-h"])
def test_help_goes_to_stdout(run: Run, word: str) -> None:
    outcome = run(word)
    assert (outcome.code, outcome.err) == (0, "")
    for name in getattr(typer.main.get_command(app), "commands"):  # noqa: B009 - the class is not public
        assert re.search(rf"^  {name} ", outcome.out, re.MULTILINE)


@pytest.mark.parametrize("word", ["--version", "-V"])
def test_version(run: Run, word: str) -> None:
    outcome = run(word)
    assert (outcome.code, outcome.err) == (0, "")
    assert re.fullmatch(r"devreg \d+\.\d+\.\d+\n", outcome.out)


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("login", "127.0.0.1:1", "-u", "alice"), "--password-stdin"),
        (("login", "127.0.0.1:1"), "-u"),
        (("registry", "user", "add", "alice"), "--password-stdin"),
        (("registry", "down", "--volumes"), "--yes"),
    ],
    ids=" ".join,
)
@pytest.mark.usefixtures("fake")
def test_nobody_is_asked_without_a_terminal(run: Run, words: tuple[str, ...], hint: str) -> None:
    outcome = run(*words, input="yes\n")
    assert outcome.code == 2
    assert hint in outcome.err
    assert outcome.out == ""
