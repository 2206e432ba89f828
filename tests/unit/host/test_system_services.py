"""systemd's units and the machine's nginx, by stand-ins for their programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from devreg.host import system_nginx, system_units
from devreg.host.system_units import UnitState
from devreg.model.errors import ServerError
from tests.unit.host.programs import Programs
from tests.unit.host.services import Services

UNIT = "docker.registry.service"


@pytest.fixture
def services(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Services:
    (tmp_path / "bin").mkdir()
    return Services.put(tmp_path / "services", Programs(tmp_path / "bin", monkeypatch), user="www-data")


def test_a_unit_that_does_not_exist_is_neither(services: Services) -> None:
    assert services.state == {"nginx.service.active"}
    assert system_units.state(UNIT) == UnitState(enabled=False, active=False)


def test_a_unit_is_started_and_stopped(services: Services) -> None:
    system_units.enable(UNIT)
    system_units.restart(UNIT)
    assert system_units.state(UNIT) == UnitState(enabled=True, active=True)
    system_units.stop(UNIT)
    system_units.disable(UNIT)
    assert system_units.state(UNIT) == UnitState()
    assert services.state == {"nginx.service.active"}


def test_what_is_off_is_not_switched_off(services: Services) -> None:
    system_units.stop(UNIT)
    system_units.disable(UNIT)
    assert not {f"systemctl stop {UNIT}", f"systemctl disable {UNIT}"} & set(services.programs.calls)


def test_a_refusal_names_the_log(services: Services) -> None:
    services.mark("fails-restart")
    with pytest.raises(ServerError, match="no restart today") as caught:
        system_units.restart(UNIT)
    assert f"journalctl --unit={UNIT}" in caught.value.hint


def test_the_last_line_is_the_programs_own(services: Services) -> None:
    del services
    assert system_units.last_line(UNIT) == "it says so"


def test_nginx_says_which_line_it_does_not_take(services: Services) -> None:
    system_nginx.check()
    services.mark("broken")
    with pytest.raises(ServerError, match=r"unknown directive .* in foreign\.conf:1$"):
        system_nginx.check()


def test_nginx_is_told_to_reload_or_started(services: Services) -> None:
    system_nginx.reread()
    services.mark("nginx.service.active", there=False)
    system_nginx.reread()
    told = [call for call in services.programs.calls if not call.startswith("systemctl show")]
    assert told == ["systemctl reload nginx.service", "systemctl start nginx.service"]
    services.mark("fails-reload")
    with pytest.raises(ServerError, match="could not be told to reload: it says so"):
        system_nginx.reread()


def test_the_workers_group_is_that_of_the_user(services: Services) -> None:
    del services
    assert system_nginx.workers_group() == "www-data"
