"""The scripts in completions/ are what devreg generates, and bash completes the command tree with them."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from devreg.cli.app import app

FOLDER = Path(__file__).parents[1] / "completions"
SCRIPTS = {"bash": "devreg.bash", "zsh": "_devreg", "fish": "devreg.fish", "powershell": "devreg.ps1"}


@pytest.mark.parametrize("shell", SCRIPTS)
def test_script_is_up_to_date(shell: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "devreg"],
        env={**os.environ, "_DEVREG_COMPLETE": f"source_{shell}"},
        capture_output=True,
        text=True,
        check=True,
    )
    # zsh reads `#compdef` on the first line only, which the generator leaves empty.
    assert (FOLDER / SCRIPTS[shell]).read_text() == done.stdout.strip() + "\n"


def test_no_other_script_lies_about() -> None:
    assert {path.name for path in FOLDER.iterdir()} == set(SCRIPTS.values())


@pytest.mark.parametrize("words", [[], ["registry"], ["registry", "user"]], ids=" ".join)
def test_bash_completes_every_command(words: list[str]) -> None:
    group = typer.main.get_command(app)
    for word in words:
        group = getattr(group, "commands")[word]  # noqa: B009 - the class with this attribute is not public
    bash = shutil.which("bash")
    assert bash, "bash is missing: apt-get install bash"
    # The script calls `devreg`, as installed by this interpreter's environment.
    script = f"""
        source {FOLDER}/devreg.bash
        COMP_WORDS=(devreg {" ".join(words)} "") COMP_CWORD={len(words) + 1}
        _devreg_completion devreg
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        [bash, "-c", script], env={**os.environ, "PATH": path}, capture_output=True, text=True, check=True
    )
    assert set(done.stdout.split()) == set(getattr(group, "commands"))  # noqa: B009
