"""What `inspect` shows on a screen."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import replace

import pytest

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


def test_a_digest_fits_beside_its_name(terminal: Terminal, capsys: pytest.CaptureFixture[str]) -> None:
    terminal(80)
    inspect_view.inspected(replace(FOUND, platforms=(Entry(DIGEST, 1, "x", "linux/amd64"),), size=3_000_000))
    lines = capsys.readouterr().out.splitlines()
    assert f"digest  {DIGEST}" in lines
    assert f"shown   {DIGEST}" in lines
    assert "total   3.0 MB" in lines
    assert max(map(len, lines)) <= 80


@pytest.mark.parametrize(
    ("test", "line"),
    [
        (("CMD-SHELL", "curl x || exit 1"), "curl x || exit 1"),
        (("CMD", "curl", "a b"), "curl 'a b'"),
        (("NONE",), "NONE"),
        (("\x1b", "x"), "'\\x1b' x"),
    ],
)
def test_a_healthcheck(capsys: pytest.CaptureFixture[str], test: tuple[str, ...], line: str) -> None:
    inspect_view.inspected(replace(FOUND, image=replace(IMAGE, healthcheck=test)))
    assert f"healthcheck   {line}" in capsys.readouterr().out.splitlines()


def test_an_instruction_of_many_lines_is_one_and_on_a_screen_has_an_end(
    terminal: Terminal, capsys: pytest.CaptureFixture[str]
) -> None:
    step = "RUN set -eux; \\\n\tmake\x1b[2J " + "x " * 5000
    found = replace(FOUND, image=replace(IMAGE, layers=(Layer(DIGEST, None, "x", step),)))
    inspect_view.inspected(found)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if line.startswith("layer")]
    assert line.split(maxsplit=3)[1:3] == [DIGEST, "-"]
    assert "RUN set -eux; \\ make\\x1b[2J x x" in line
    assert line.count("x ") >= 4999
    screen = terminal(80)
    inspect_view.inspected(found)
    assert screen.getvalue().count("x ") < 500
    assert "…" in screen.getvalue()


def test_what_is_not_there_is_told_below_its_row(terminal: Terminal) -> None:
    screen = terminal(80)
    entries = (Entry(DIGEST, 1, "x", "linux/amd64", error="not in the registry"),)
    inspect_view.inspected(replace(FOUND, kind="index", image=None, platforms=entries))
    row, error = screen.getvalue().splitlines()[-2:]
    assert row.split() == ["linux/amd64", "-", "0123456789ab"]
    assert error.strip() == "not in the registry"


def test_sizes_are_those_of_images_where_they_are_known(capsys: pytest.CaptureFixture[str]) -> None:
    images = (Entry(DIGEST, 1, "x", "linux/amd64", content_size=3_000_000), Entry(DIGEST, 7, "some/type"))
    inspect_view.inspected(replace(FOUND, platforms=images, attestations=(Entry(DIGEST, 5, "x", "linux/amd64"),)))
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["image", DIGEST, "3000000", "linux/amd64"] in lines
    assert ["image", DIGEST, "7", "some/type"] in lines
    assert ["attestation", DIGEST, "5", "linux/amd64"] in lines
