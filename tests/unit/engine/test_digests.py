"""From which manifests the engine has an image."""

from __future__ import annotations

import json

import pytest

from devreg.engine.client import connect
from devreg.engine.digests import held
from devreg.model.errors import EngineRefused
from devreg.model.reference import Reference
from tests.unit.engine.fake import DIGEST, FakeEngine, Reply, Request

NAME = Reference.parse("reg.example:5000/app:1")


def test_an_image_that_is_not_there_has_none(fake: FakeEngine) -> None:
    assert held(connect(), NAME) == ()
    assert fake.requests("GET", "/images/reg.example:5000/app:1/json")


def test_an_image_of_this_machine_has_none(fake: FakeEngine) -> None:
    fake.images[str(NAME)] = "sha256:1"
    assert held(connect(), NAME) == ()


@pytest.mark.parametrize("name", [NAME, Reference("app", NAME.registry, "1", DIGEST)])
def test_the_digests_are_told(fake: FakeEngine, name: Reference, monkeypatch: pytest.MonkeyPatch) -> None:
    usual = fake.answer

    def answer(request: Request) -> Reply:
        if not request.path.endswith(("/app:1/json", f"/app@{DIGEST}/json")):
            return usual(request)
        found = {"Id": "sha256:1", "RepoDigests": [f"a@{DIGEST}", f"reg.example:5000/app@{DIGEST}"]}
        return Reply(200, json.dumps(found).encode(), {"Content-Type": "application/json"})

    monkeypatch.setattr(fake, "answer", answer)
    assert held(connect(), name) == (DIGEST, DIGEST)


def test_any_other_answer_is_a_failure(fake: FakeEngine) -> None:
    fake.refusals["GET /images/"] = (500, "out of order")
    with pytest.raises(EngineRefused, match="out of order"):
        held(connect(), NAME)
