"""The registry's and nginx's programs: installed, fetched, or not to be had; with stand-ins."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from devreg.host import server_programs
from devreg.model.errors import ServerError
from tests.unit.host.programs import Programs


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    """Nothing of this machine is found, but what a test adds."""
    monkeypatch.setattr(server_programs, "_ALSO", "")
    return Programs(tmp_path, monkeypatch)


@pytest.fixture
def fetched(tmp_path: Path) -> Path:
    return tmp_path / "state/programs"


def lay(fetched: Path, *names: str) -> None:
    for name in names:
        file = fetched / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("")


def test_what_is_installed_is_used(programs: Programs, fetched: Path, tmp_path: Path) -> None:
    for name in ("nginx", "docker-registry", "setpriv"):
        programs.add(name, "")
    lay(fetched, "usr/sbin/nginx", "usr/lib/libx.so.1")
    found = server_programs.find(fetched)
    assert found.nginx == str(tmp_path / "nginx")
    assert found.registry == str(tmp_path / "docker-registry")
    assert found.libraries == ()
    assert server_programs.lacking(fetched) == ()


def test_what_was_fetched_is_used_with_its_libraries(programs: Programs, fetched: Path) -> None:
    programs.add("setpriv", "")
    assert server_programs.lacking(fetched) == ("nginx", "docker-registry")
    lay(fetched, "usr/sbin/nginx", "usr/bin/docker-registry", "usr/lib/x/libx.so.1", "usr/lib/nginx/modules/m.so")
    assert server_programs.lacking(fetched) == ()
    found = server_programs.find(fetched)
    assert found.nginx == str(fetched / "usr/sbin/nginx")
    assert found.libraries == (str(fetched / "usr/lib/x"),)


@pytest.mark.parametrize(
    ("says", "is_it"), [("registry github.com/distribution/distribution v3.0.0", True), ("r", False)]
)
def test_a_program_called_registry_has_to_be_the_registry(
    programs: Programs, fetched: Path, says: str, is_it: bool
) -> None:
    programs.add("registry", f"echo {says}")
    assert ("docker-registry" in server_programs.lacking(fetched)) is not is_it


def test_what_is_to_be_installed_is_named(programs: Programs, fetched: Path) -> None:
    programs.add("nginx", "")
    with pytest.raises(ServerError, match="registry, setpriv") as raised:
        server_programs.find(fetched)
    assert "nginx" not in str(raised.value)
    assert "util-linux" in raised.value.hint


def test_a_configuration_that_nginx_refuses_is_told_in_its_words(programs: Programs, tmp_path: Path) -> None:
    programs.add("nginx", "echo 'nginx: [emerg] bind() to 1.2.3.4:5 failed' >&2; echo 'test failed' >&2; exit 1")
    with pytest.raises(ServerError, match=r"bind\(\) to 1.2.3.4:5 failed"):
        server_programs.refuse_broken((str(tmp_path / "nginx"), "-c", "x"), {})


def test_a_fetch_that_fails_leaves_what_was_there(
    programs: Programs, fetched: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    del programs
    lay(fetched, "usr/sbin/nginx")

    def fail(*_: object, **__: object) -> None:
        raise ServerError("no network", hint="x")

    monkeypatch.setattr("devreg.host.packages.fetched", fail)
    with pytest.raises(ServerError, match="no network"):
        server_programs.fetch(("docker-registry",), fetched)
    assert (fetched / "usr/sbin/nginx").exists()
    assert [each.name for each in fetched.parent.iterdir()] == ["programs"]
    server_programs.forget(fetched)
    server_programs.forget(fetched)
    assert not fetched.exists()


def test_what_was_fetched_is_known_by_its_content(programs: Programs, fetched: Path, tmp_path: Path) -> None:
    programs.add("setpriv", "")
    programs.add("nginx", "")
    lay(fetched, "usr/bin/docker-registry")
    empty = f"sha256:{hashlib.sha256(b'').hexdigest()}"
    assert server_programs.digests(fetched) == {"registry": (str(fetched / "usr/bin/docker-registry"), empty)}
    assert server_programs.fetched_packages(fetched) == ("docker-registry",)
    other = tmp_path / "state/other"
    lay(other, "usr/bin/docker-registry", "more")
    server_programs.exchange(fetched, other)
    assert ((fetched / "more").exists(), (other / "more").exists()) == (True, False)
    assert {each.name for each in fetched.parent.iterdir()} == {"programs", "other"}
