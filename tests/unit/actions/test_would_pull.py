"""Whether a pull would bring anything: what the engine holds against what the registry offers."""

from __future__ import annotations

from dataclasses import dataclass
from types import TracebackType

import pytest

from devreg.actions import would_pull
from devreg.engine.client import connect
from devreg.model.address import Address
from devreg.model.manifest import Descriptor
from devreg.model.reference import Reference
from tests.unit.engine.fake import DIGEST, FakeEngine

NAME = Reference.parse("reg.example:5000/app:1")
NEWER = f"sha256:{'e' * 64}"


@dataclass
class Offer:
    """A registry that has one digest for every name, and remembers where it was asked."""

    digest: str
    asked: list[str]

    def __enter__(self) -> Offer:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        pass

    def head_manifest(self, repository: str, version: str) -> Descriptor:
        self.asked.append(f"{repository}:{version}")
        return Descriptor("type", self.digest, 1)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    asked: list[str] = []

    def opened(address: Address, *, timeout: float) -> Offer:
        del timeout
        asked.append(str(address))
        return Offer(NEWER, asked)

    monkeypatch.setattr("devreg.actions.would_pull.open_registry", opened)
    return asked


@pytest.fixture
def held(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    held = [DIGEST]
    monkeypatch.setattr("devreg.engine.digests.held", lambda _engine, _name: tuple(held))
    return held


def test_another_digest_would_be_pulled(fake: FakeEngine, asked: list[str], held: list[str]) -> None:
    del fake
    assert would_pull.is_here(connect(), NAME)
    assert would_pull.newer(connect(), NAME, timeout=1) == NEWER
    held.append(NEWER)
    assert would_pull.newer(connect(), NAME, timeout=1) is None
    assert asked == ["reg.example:5000", "app:1"] * 2


def test_a_digest_needs_no_question(fake: FakeEngine, asked: list[str], held: list[str]) -> None:
    del fake, held
    assert would_pull.newer(connect(), Reference.parse(f"reg.example:5000/app@{DIGEST}"), timeout=1) is None
    assert asked == []


@pytest.mark.parametrize(
    ("name", "repository"),
    [("alpine", "library/alpine:latest"), ("docker.io/alpine", "library/alpine:latest"), ("team/app:1", "team/app:1")],
)
@pytest.mark.usefixtures("held")
def test_a_name_without_a_registry_is_for_dockers_hub(
    fake: FakeEngine, asked: list[str], name: str, repository: str
) -> None:
    del fake
    would_pull.newer(connect(), Reference.parse(name), timeout=1)
    assert asked == ["docker.io", repository]
