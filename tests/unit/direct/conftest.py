"""A world for each test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from devreg.host.push_cache import PushCache
from tests.unit.direct.world import World


@pytest.fixture
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with PushCache(Path(tmp_path_factory.mktemp("cache"))) as cache:
        yield World(cache)
