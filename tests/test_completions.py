"""What completion goes by is what there is: the scripts in completions/, and the outline of the command tree."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest
import typer

from devreg.actions.completion import Shell, script
from devreg.cli import names
from devreg.cli.app import Commands, app
from devreg.cli.outline import Command, drawn, known

FOLDER = Path(__file__).parents[1] / "completions"
SCRIPTS: dict[Shell, str] = {"bash": "devreg.bash", "zsh": "_devreg", "fish": "devreg.fish", "powershell": "devreg.ps1"}
# What help calls the words that only the user knows.
FREE = {
    *("ADDR:PORT", "AGE", "CERT,KEY|off", "GLOB", "KIND", "N", "NAME", "OS/ARCH", "SECONDS", "SERVER:/PATH", "SHA256"),
    *("TAG", "TAIL", "TEMPLATE", "TIME", "URL", "VALUE", "self-signed|CERT,KEY|off"),
}


@pytest.mark.parametrize("shell", SCRIPTS)
def test_script_is_up_to_date(shell: Shell) -> None:
    """`devreg completion show SHELL > completions/...` makes it anew."""
    assert (FOLDER / SCRIPTS[shell]).read_text() == script(shell)


def test_no_other_script_lies_about() -> None:
    assert set(get_args(Shell)) == set(SCRIPTS)
    assert {path.name for path in FOLDER.iterdir()} == set(SCRIPTS.values())


def test_the_outline_is_up_to_date() -> None:
    outline = Path(names.__file__).with_name("outline.json").read_text()
    assert outline == drawn(app), "run `python -m devreg.cli.outline`"


def every_command(words: tuple[str, ...], command: Command) -> Iterator[tuple[tuple[str, ...], Command]]:
    """The commands and groups at and below `command`, each with its words."""
    yield words, command
    for name, each in command["commands"].items():
        yield from every_command((*words, name), each)


COMMANDS = dict(every_command((), known()))


def test_every_word_is_completed_or_the_users_own() -> None:
    called = {
        each["value"]
        for command in COMMANDS.values()
        for each in command["arguments"] + command["options"]
        if each["value"] is not None and not each["choices"]
    }
    assert called - names.BY_CALLING.keys() == FREE


@pytest.mark.parametrize("name", Commands.contents)
def test_the_table_of_contents_says_what_the_command_says_of_itself(name: str) -> None:
    own = COMMANDS[(name,)]["help"]
    assert own.startswith(Commands.contents[name][1])


def test_the_table_of_contents_is_complete() -> None:
    """No module of commands is left out of it."""
    modules = {module for module, _ in Commands.contents.values()}
    folder = Path(names.__file__).parent
    assert modules == {each.stem for each in folder.glob("*.py") if "\ndef register(" in each.read_text()}


def test_help_lists_what_the_outline_lists() -> None:
    group = typer.main.get_command(app)
    assert list(getattr(group, "commands")) == list(known()["commands"])  # noqa: B009 - the class is not public


@pytest.mark.parametrize("words", [words for words, each in COMMANDS.items() if each["commands"]], ids=" ".join)
def test_bash_completes_every_command(words: tuple[str, ...], tmp_path: Path) -> None:
    line = " ".join(["devreg", *words, ""])
    assert in_bash(line, tmp_path) == list(COMMANDS[words]["commands"])


def test_bash_completes_every_option(tmp_path: Path) -> None:
    found = in_bash("devreg push --", tmp_path)
    options = [name for each in COMMANDS[("push",)]["options"] for name in each["names"] if name.startswith("--")]
    assert found == options
    assert "--no-clobber" in found


@pytest.mark.parametrize(
    ("line", "offered"),
    [("devreg tags --sort=s", ["size", "semver"]), ("devreg tags --sort s", ["size", "semver"]), ("devreg x ", [])],
)
def test_bash_replaces_what_it_takes_for_a_word(line: str, offered: list[str], tmp_path: Path) -> None:
    assert in_bash(line, tmp_path) == offered


def in_bash(line: str, home: Path) -> list[str]:
    """What bash would offer at the end of a line, by the script and this interpreter's devreg. TAB until it is told:
    on a busy machine there may be no answer in time."""
    bash = shutil.which("bash")
    assert bash, "bash is missing: apt-get install bash"
    program = home / "devreg"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m devreg "$@"\n')
    program.chmod(0o755)
    code = f"""
        source {FOLDER}/devreg.bash
        COMP_LINE='{line}' COMP_POINT={len(line)}
        for _ in 1 2 3 4 5 6 7 8 9; do
            _devreg
            ((${{#COMPREPLY[@]}})) && break
        done
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    environment = {**os.environ, "PATH": f"{home}:{os.environ['PATH']}", "HOME": str(home)}
    done = subprocess.run([bash, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.split()


def test_the_script_for_powershell_has_its_shape() -> None:
    """No PowerShell runs here: what it is told, and that devreg's two variables are set and taken away again."""
    text = script("powershell")
    assert "Register-ArgumentCompleter -Native -CommandName devreg -ScriptBlock {" in text
    assert "param($word, $ast, $cursor)" in text
    assert "[System.Management.Automation.CompletionResult]::new($name, $name, 'ParameterValue', $meaning)" in text
    for variable in ("_DEVREG_LINE", "_DEVREG_COMPLETE"):
        assert f"$env:{variable} =" in text
        assert f"Env:{variable}" in text.partition("finally")[2]
    assert text.count("{") == text.count("}")
    assert text.count("(") == text.count(")")
