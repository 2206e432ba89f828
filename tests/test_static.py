"""Types and style, checked as part of the suite, so that there is one command to run."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    "check",
    [["mypy"], ["ruff", "check"], ["ruff", "format", "--check"]],
    ids=lambda check: "-".join(check).replace("---", "-"),
)
def test_the_whole_checkout_passes(check: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", *check], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
