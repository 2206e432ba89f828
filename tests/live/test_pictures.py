"""The pictures in the README are made by one command, from a real registry."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
KEPT = ROOT / "tests" / "pictures"


def test_they_are_made_anew(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "tests.pictures", str(tmp_path)], cwd=ROOT, check=True, timeout=300)
    made = {file.name: file.read_text() for file in tmp_path.iterdir()}
    assert set(made) == {file.name for file in KEPT.glob("*.svg")}
    assert set(re.findall(r"tests/pictures/(\w+\.svg)", (ROOT / "README.md").read_text())) == set(made)
    for name, picture in made.items():
        assert "127.0.0.1" not in picture
        assert lines(picture) == lines((KEPT / name).read_text())
    assert "1.11.0-rc.1" in made["tags.svg"]


def lines(picture: str) -> int:
    """How many lines of text a picture has: digests and dates differ each time."""
    return len(set(re.findall(r'<clipPath id="[^"]*line-\d+"', picture)))
