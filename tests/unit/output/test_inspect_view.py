"""What `inspect` shows on a screen."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace

from devreg.model.inspection import Entry, Image, Inspected, Layer
from devreg.output import inspect_view

Terminal = Callable[[int], io.StringIO]
DIGEST = f"sha256:{'0123456789abcdef' * 4}"
IMAGE = Image(
    DIGEST,
    "linux/amd64",
    1500,
    "2020-01-02T03:04:05Z",
    (Layer(DIGEST, 1000, "x", "RUN " + "long " * 60),),
    env=("PATH=/bin",),
    labels={"\x1b[2J": "[red]x"},
)
FOUND = Inspected("127.0.0.1:5000/app:1", DIGEST, "application/x", "image", 7, IMAGE)


def test_an_image(terminal: Terminal) -> None:
    screen = terminal(80)
    inspect_view.inspected(FOUND)
    lines = screen.getvalue().splitlines()
    assert next(line for line in lines if line.startswith("0123456789ab")).split()[1] == "1.0"
    assert not any("PLATFORM" in line for line in lines)
    assert max(map(len, lines)) <= 80


def test_an_index_has_a_line_for_each_platform(terminal: Terminal) -> None:
    screen = terminal(80)
    entries = (Entry(DIGEST, 1, "x", "linux/amd64"), Entry(DIGEST, 1, "x"))
    inspect_view.inspected(replace(FOUND, kind="index", platforms=entries, referrers=entries))
    lines = screen.getvalue().splitlines()
    assert [line.split()[0] for line in lines if line.endswith("0123456789ab")] == ["linux/amd64", "x"] * 2
    assert "REFERRER" in screen.getvalue()


def test_what_is_no_image_has_no_layers(terminal: Terminal) -> None:
    screen = terminal(80)
    inspect_view.inspected(replace(FOUND, kind="artifact", image=None, blobs=(Entry(DIGEST, 5, "text/plain"),)))
    assert "LAYER" not in screen.getvalue()
    assert "text/plain" in screen.getvalue()
