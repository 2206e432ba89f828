"""What is shown of a plan, and of what came of it."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from devreg.model.deletion_plan import Fate, Outcome, Plan
from devreg.output import console, plan_view

HEX = "0123456789abcdef" * 4
DIGEST, CHILD, LOOSE = f"sha256:{HEX}", f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"
PLAN = Plan(
    "team/app",
    (
        Fate("1.0", DIGEST, "2020-01-02T03:04:05Z", goes=True, why="not the newest", by="manifest"),
        Fate("\x1b[31mold", DIGEST, "2020-01-02T03:04:05Z", goes=True, why="not the newest", by="manifest"),
        Fate("1.1", CHILD, None, goes=True, why="it was named", by="tag"),
        Fate(f"sha256-{HEX}.sig", CHILD, None, goes=False, why="its subject has no tag"),
    ),
    (DIGEST, CHILD, LOOSE),
    (LOOSE,),
    1500,
    {"broken": "is \x1b[2Jnone"},
)


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """A terminal of 80 columns, to which results go."""
    screen = io.StringIO()
    plain: Any = {"highlight": False, "markup": False, "emoji": False}
    made = Console(file=screen, width=80, force_terminal=True, color_system=None, **plain)
    monkeypatch.setattr(console, "is_terminal", lambda: True)
    monkeypatch.setattr(console, "stdout", lambda: made)
    monkeypatch.setattr(console, "result", lambda line: screen.write(f"{line}\n"))
    return screen


def test_a_plan_for_people(screen: io.StringIO) -> None:
    plan_view.plans([PLAN])
    lines = screen.getvalue().splitlines()
    assert lines[0] == "team/app: 3 of 4 tags to go, 3 manifests to delete; frees 1.5 kB at most"
    assert max(map(len, lines)) <= 80
    rows = [line.split() for line in lines[3:]]
    assert rows[0] == ["1.0", HEX[:12], "6", "years", "ago", "delete", "not", "the", "newest"]
    assert rows[2] == ["1.1", "a" * 12, "-", "untag", "it", "was", "named"]
    assert rows[3][0] == f"sha256-{HEX[:12]}….sig"
    assert ["-", "b" * 12, "-", "delete", "has", "no", "tag"] in rows
    assert "broken" in screen.getvalue()
    assert "\x1b" not in screen.getvalue()


def test_a_plan_for_scripts(capsys: pytest.CaptureFixture[str]) -> None:
    plan_view.plans([PLAN])
    rows = [line.split(maxsplit=4) for line in capsys.readouterr().out.splitlines()]
    assert rows[0] == ["1.0", DIGEST, "2020-01-02T03:04:05Z", "delete", "not the newest"]
    assert [row[3] for row in rows] == ["delete", "delete", "untag", "keep", "delete", "error"]
    assert rows[-1] == ["broken", "-", "-", "error", "is \\x1b[2Jnone"]
    plan_view.plans([PLAN, PLAN])
    assert all(line.startswith("team/app  ") for line in capsys.readouterr().out.splitlines())


def test_what_is_deleted_is_named_first() -> None:
    assert list(plan_view.announced("r:5000", PLAN)) == [
        "r:5000/team/app: 3 tags and 3 manifests to delete",
        "  the tag 1.1 alone",
        f"  {HEX[:12]} with its tags 1.0, \\x1b[31mold",
        f"  {'b' * 12}, without a tag",
        "  1 manifest that only these lead to",
    ]


def test_a_long_plan_is_cut() -> None:
    fates = tuple(Fate(str(n), CHILD, None, goes=True, why="", by="tag") for n in range(100))
    lines = list(plan_view.announced("r", Plan("app", fates)))
    assert len(lines) == 22
    assert lines[-1] == "  and 80 more such"


def test_what_is_gone(capsys: pytest.CaptureFixture[str], screen: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    done = [Outcome("app", ("1.0",), (DIGEST,), (CHILD,), frees=1500), Outcome("other")]
    plan_view.outcomes(done, ["r", "r"])
    assert screen.getvalue().splitlines() == [
        "app: 1 tag and 1 manifest deleted",
        f"app: the registry has deleted {CHILD} along with its last tag",
        "other: nothing deleted",
    ]
    monkeypatch.undo()
    plan_view.outcomes(done, ["r", "r"])
    plan_view.afterwards(done)
    written = capsys.readouterr()
    assert [line.split() for line in written.out.splitlines()] == [
        ["r/app:1.0", "tag"],
        [f"r/app@{DIGEST}", "manifest"],
        [f"r/app@{CHILD}", "manifest"],
    ]
    assert "frees 1.5 kB at most" in written.err
