"""Options of the whole test suite."""

from pathlib import Path

import pytest

LIVE = Path(__file__).parent / "live"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--no-live", action="store_true", help="leave out tests/live: no real engine, registry, nginx or machine"
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the live tests out when that was asked for; they are never skipped for any other reason."""
    if not config.getoption("--no-live"):
        return
    live = [item for item in items if LIVE in item.path.parents]
    items[:] = [item for item in items if LIVE not in item.path.parents]
    config.hook.pytest_deselected(items=live)


def pytest_report_header(config: pytest.Config) -> str | None:
    """Say so at the top when the live tests are left out."""
    return "live tests: left out (--no-live)" if config.getoption("--no-live") else None
