"""What a push leaves for CI."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from devreg.actions import push_outputs
from devreg.model.results import Pushed

ONE = Pushed("a", "reg:1/app:1", "sha256:1", "direct", 0)
TWO = Pushed("b", "reg:1/team/tool:2", "sha256:2", "engine", 0)


@pytest.fixture(autouse=True)
def outputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file of GitHub's outputs."""
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "outputs"))
    return tmp_path / "outputs"


def test_both_files(tmp_path: Path, outputs: Path) -> None:
    (tmp_path / "digests").write_text("sha256:old\n" * 9)
    assert push_outputs.write([ONE, TWO], tmp_path / "digests") == []
    assert (tmp_path / "digests").read_text() == "sha256:1\nsha256:2\n"
    assert outputs.read_text() == (
        "digest=sha256:1\nreferences<<devreg-end\nreg:1/app@sha256:1\nreg:1/team/tool@sha256:2\ndevreg-end\n"
    )


def test_outputs_are_appended(outputs: Path) -> None:
    push_outputs.write([ONE], None)
    push_outputs.write([TWO], None)
    assert outputs.read_text().count("digest=") == 2


def test_nothing_is_written_for_nothing(tmp_path: Path) -> None:
    assert push_outputs.write([], tmp_path / "digests") == []
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("value", ["", None])
def test_elsewhere_than_at_github_there_are_no_outputs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, value: str | None
) -> None:
    if value is None:
        monkeypatch.delenv("GITHUB_OUTPUT")
    else:
        monkeypatch.setenv("GITHUB_OUTPUT", value)
    assert push_outputs.write([ONE], None) == []
    assert list(tmp_path.iterdir()) == []


def test_one_that_fails_does_not_keep_the_other_from_being_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, outputs: Path
) -> None:
    assert len(push_outputs.write([ONE], tmp_path)) == 1
    assert outputs.exists()
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "nowhere/outputs"))
    [error] = push_outputs.write([ONE], tmp_path / "digests")
    assert "nowhere/outputs" in error.message
    assert (tmp_path / "digests").exists()


def test_a_pipe_is_written_to_and_stays_one(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        assert push_outputs.write([ONE], pipe) == []
        assert os.read(reader, 100) == b"sha256:1\n"
    finally:
        os.close(reader)
    assert pipe.is_fifo()
