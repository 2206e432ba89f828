"""Debian's packages, with stand-ins for apt and dpkg."""

from __future__ import annotations

from pathlib import Path

import pytest

from devreg.host import packages
from devreg.host.packages import Package
from devreg.model.errors import ServerError
from tests.unit.host.programs import Programs

DPKG_DEB = """
case $1 in
  --field) printf 'Package: %s\\nSection: libs\\n' "$(basename "$2" .deb)" ;;
  --fsys-tarfile) printf 'the files of %s' "$(basename "$2")" ;;
esac
"""
# Downloads what it is told to, into the cache that it is told to use.
APT_GET = """
for word; do
  case $word in --option=Dir::Cache=*) cache=${word#--option=Dir::Cache=} ;; esac
done
case "$*" in *--download-only*) touch "$cache/archives/b.deb" "$cache/archives/a.deb" ;; esac
"""


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    made = Programs(tmp_path, monkeypatch)
    made.add("apt-get", APT_GET)
    made.add("dpkg-deb", DPKG_DEB)
    return made


def test_packages_are_there_where_both_programs_are(programs: Programs, monkeypatch: pytest.MonkeyPatch) -> None:
    assert packages.available()
    monkeypatch.setenv("PATH", "/nonexistent")
    assert not packages.available()
    assert programs.calls == []


def test_packages_are_fetched_into_a_folder_of_their_own_that_goes_away(programs: Programs) -> None:
    with packages.fetched(["nginx"]) as found:
        assert [(each.name, each.section) for each in found] == [("a", "libs"), ("b", "libs")]
        file = found[0].file
        assert file.exists()
    assert not file.exists()
    update, install = programs.calls[:2]
    assert update.endswith(" update")
    assert install.endswith(" --yes --download-only install nginx")
    assert all(f"--option=Dir::State={file.parents[2]}" in call for call in (update, install))
    assert all("--option=Dir::State::status=" in call for call in (update, install))


def test_a_download_that_fails_is_told_in_apts_words(programs: Programs) -> None:
    programs.add("apt-get", "echo 'W: old' >&2; echo 'E: Unable to locate package nginx' >&2; echo >&2; exit 100")
    with pytest.raises(ServerError, match="E: Unable to locate package nginx"), packages.fetched(["nginx"]):
        pytest.fail("there is nothing to use")


@pytest.mark.usefixtures("programs")
def test_the_contents_of_a_package_are_a_file_that_goes_away(tmp_path: Path) -> None:
    package = Package("a", "libs", tmp_path / "a b.deb")
    with packages.contents(package) as tar:
        assert tar.read_text() == "the files of a b.deb"
    assert not tar.exists()


def test_a_package_that_cannot_be_unpacked_is_a_foreseen_failure(programs: Programs, tmp_path: Path) -> None:
    programs.add("dpkg-deb", "echo 'No space left on device' >&2; exit 2")
    with pytest.raises(ServerError, match="No space left"), packages.contents(Package("a", "libs", tmp_path / "a.deb")):
        pytest.fail("there is nothing to use")


def test_install_gives_what_was_not_there_before(programs: Programs, tmp_path: Path) -> None:
    programs.add("dpkg-query", f"printf 'ii  base\\nrc  removed\\n'; cat {tmp_path}/new 2>/dev/null || true")
    programs.add(
        "apt-get", f"case \"$*\" in *install*) printf 'ii  docker.io\\nii  runc\\nun  x\\n' > {tmp_path}/new ;; esac"
    )
    assert packages.install(["docker.io", "base"]) == ("docker.io", "runc")
    assert "apt-get --quiet --yes --no-install-recommends install docker.io base" in programs.calls


def test_an_install_that_fails_is_told_in_apts_words(programs: Programs) -> None:
    programs.add("dpkg-query")
    programs.add("apt-get", "echo 'E: Could not get lock' >&2; exit 100")
    with pytest.raises(ServerError, match="E: Could not get lock"):
        packages.install(["docker.io"])


def test_purge_removes_what_is_still_there(programs: Programs) -> None:
    programs.add("dpkg-query", "printf 'ii  runc\\nii  base\\n'")
    packages.purge(["runc", "docker.io"])
    assert programs.calls[-1] == "apt-get --quiet --yes purge runc"


def test_a_purge_that_fails_is_told_in_apts_words(programs: Programs) -> None:
    programs.add("dpkg-query", "printf 'ii  runc\\n'")
    programs.add("apt-get", "echo 'E: held' >&2; exit 100")
    with pytest.raises(ServerError, match="E: held"):
        packages.purge(["runc"])
