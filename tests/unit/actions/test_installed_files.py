"""The machine's nginx goes by new files once no worker of before takes requests."""

from __future__ import annotations

from pathlib import Path

import pytest

from devreg.actions.serving.installed_files import go_by_files
from devreg.host import processes
from tests.unit.host.programs import Programs
from tests.unit.host.services import Services

WORKER, LEAVING = "nginx: worker process", "nginx: worker process is shutting down"
# After the reload the old worker takes requests for a while, with the certificate of before.
TITLES = ({2: WORKER}, {2: WORKER}, {2: WORKER, 3: WORKER}, {2: LEAVING, 3: WORKER})


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Services:
    (tmp_path / "bin").mkdir()
    return Services.put(tmp_path / "services", Programs(tmp_path / "bin", monkeypatch))


def test_a_running_one_is_waited_for(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    (services.folder / "nginx.service.pid").write_text("1")
    told = iter(TITLES)
    monkeypatch.setattr(processes, "titles", lambda _master: next(told))
    go_by_files()
    assert list(told) == []
    assert "systemctl reload nginx.service" in services.programs.calls


def test_a_stopped_one_is_started(services: Services) -> None:
    services.mark("nginx.service.active", there=False)
    go_by_files()
    assert "nginx.service.active" in services.state
