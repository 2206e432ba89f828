"""`devreg tag` and `devreg pull`, with an engine that answers at a real socket."""

from __future__ import annotations

import pytest

from tests.cli.conftest import NOBODY, Run
from tests.unit.engine.fake import DIGEST, FakeEngine


@pytest.fixture(autouse=True)
def images(fake: FakeEngine) -> None:
    fake.images |= {"app:1": "sha256:1", "other:2": "sha256:2", "reg.example:5000/team/app:1": "sha256:1"}


@pytest.mark.parametrize(
    ("words", "reference"),
    [
        (("app:1",), f"{NOBODY}/app:1"),
        (("app:1", "--registry", "reg:1"), "reg:1/app:1"),
        (("app:1", "team/tool:2"), f"{NOBODY}/team/tool:2"),
        (("reg.example:5000/team/app:1",), "reg.example:5000/team/app:1"),
    ],
)
def test_tag(run: Run, fake: FakeEngine, words: tuple[str, ...], reference: str) -> None:
    outcome = run("tag", *words)
    assert (outcome.code, outcome.out, outcome.err) == (0, f"{reference}\n", "")
    assert fake.images[reference] == "sha256:1"
    assert run("tag", *words, "--json").data == {"image": words[0], "reference": reference}


def test_pull(run: Run, fake: FakeEngine) -> None:
    outcome = run("pull", "team/app:1")
    assert (outcome.code, outcome.out) == (0, f"{NOBODY}/team/app@{DIGEST}\n")
    assert f"{NOBODY}/team/app:1" in fake.images


def test_pull_as_json(run: Run, fake: FakeEngine) -> None:
    first = run("pull", "team/app:1", "--json")
    assert first.data == {"reference": f"{NOBODY}/team/app:1", "digest": DIGEST, "changed": True}
    fake.pull_lines[-1] = {"status": "Status: Image is up to date for team/app:1"}
    assert run("pull", "team/app:1", "--json").document["changed"] is False


def test_a_pull_that_fails(run: Run, fake: FakeEngine) -> None:
    fake.pull_lines = [{"error": "manifest unknown"}]
    outcome = run("pull", "team/app:1")
    assert outcome.code == 22
    assert outcome.out == ""
    assert f"devreg tags {NOBODY}/team/app" in outcome.err
