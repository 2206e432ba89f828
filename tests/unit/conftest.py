"""Every unit test has a home of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from devreg.model.events import Event
from tests.unit.engine.fake import FakeEngine
from tests.unit.isolation import fake_engine, isolate

# Half of the default's examples find what there is to find here; a busy machine is no fault of the code's.
# The same examples each time, so that a red run means a change; and no opinion on how fast this machine is.
settings.register_profile(
    "unit",
    max_examples=50,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("unit")


@pytest.fixture(autouse=True)
def home(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The home folder, with nothing in it; no engine answers. Not in `tmp_path`, which is the test's own."""
    return isolate(monkeypatch, tmp_path_factory.mktemp("user"))


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch, home: Path) -> Iterator[FakeEngine]:
    """An engine that answers where DOCKER_HOST says."""
    del home  # sets DOCKER_HOST first
    with fake_engine(monkeypatch) as engine:
        yield engine


@pytest.fixture
def heard() -> list[Event]:
    """A listener's ears: pass `heard.append`."""
    return []
