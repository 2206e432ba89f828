"""Debian's packages: fetched without installing them, installed, removed."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from devreg.host.run import CommandFailed, run
from devreg.model.errors import ServerError

_APT_SECONDS = 900
_DEB_SECONDS = 120
_INSTALLED = Path("/var/lib/dpkg/status")


@dataclass(frozen=True)
class Package:
    """A fetched package: its name, Debian's section, and its file."""

    name: str
    section: str
    file: Path


def available() -> bool:
    """Whether this machine has Debian's packages."""
    return shutil.which("apt-get") is not None and shutil.which("dpkg-deb") is not None


@contextmanager
def fetched(names: Sequence[str], *, beside_installed: bool = False) -> Iterator[tuple[Package, ...]]:
    """The named packages and all they depend on, as files that are gone afterwards. Needs no root.

    apt works in folders of its own, as if nothing were installed: neither the machine's packages nor its package lists
    are touched, and old or missing lists do not matter. `beside_installed` leaves out what is installed already.
    Raises ServerError with apt's words.
    """
    with tempfile.TemporaryDirectory(prefix="devreg-packages-") as folder:
        root = Path(folder)
        options = _private_apt(root, _INSTALLED if beside_installed else root / "status")
        try:
            run(["apt-get", *options, "update"], timeout=_APT_SECONDS)
            run(["apt-get", *options, "--yes", "--download-only", "install", *names], timeout=_APT_SECONDS)
        except CommandFailed as error:
            raise ServerError(
                f"could not fetch Debian's packages {' '.join(names)}: {_last_line(error.stderr)}",
                hint="check the network and /etc/apt/sources.list, then run the command again",
            ) from error
        yield tuple(map(_package, sorted((root / "cache/archives").glob("*.deb"))))


@contextmanager
def contents(package: Package) -> Iterator[Path]:
    """A tar of the files in a package, gone afterwards."""
    with tempfile.NamedTemporaryFile(suffix=".tar") as tar:
        _dpkg("sh", "-c", 'exec dpkg-deb --fsys-tarfile "$1" > "$2"', "sh", str(package.file), tar.name)
        yield Path(tar.name)


def unpack(package: Package, folder: Path) -> None:
    """Lay the files of a package out in a folder. Raises ServerError."""
    _dpkg("dpkg-deb", "--extract", str(package.file), str(folder))


def _private_apt(root: Path, status: Path) -> list[str]:
    for folder in ("lists/partial", "cache/archives/partial"):
        (root / folder).mkdir(parents=True)
    (root / "status").touch()
    settings = {
        "Dir::State": root,
        "Dir::State::status": status,
        "Dir::State::lists": root / "lists",
        "Dir::Cache": root / "cache",
        "APT::Install-Recommends": 0,
        # apt's own user may not enter a private folder; nothing is run from what it fetches.
        "APT::Sandbox::User": "root",
        "Debug::NoLocking": 1,  # the lock of what is installed, which is only read
    }
    return ["--quiet", *(f"--option={key}={value}" for key, value in settings.items())]


def _dpkg(*argv: str) -> str:
    """What a program of dpkg's answers. Raises ServerError."""
    try:
        return run(argv, timeout=_DEB_SECONDS).stdout
    except CommandFailed as error:
        raise ServerError(
            f"Debian's packages cannot be read: {error}", hint="is there room for temporary files?"
        ) from error


def _package(file: Path) -> Package:
    fields = _dpkg("dpkg-deb", "--field", str(file), "Package", "Section")
    values = dict(line.split(": ", 1) for line in fields.splitlines() if ": " in line)
    return Package(values["Package"], values["Section"], file)


def _last_line(text: str) -> str:
    return next((line for line in reversed(text.splitlines()) if line.strip()), "apt gave no reason")


def missing(names: Sequence[str]) -> tuple[str, ...]:
    """Those of the named packages that are not installed."""
    return tuple(sorted(set(names) - _installed()))


def install(names: Sequence[str]) -> tuple[str, ...]:
    """Install packages, as root; gives those that were not there before, dependencies included. Raises ServerError."""
    before = _installed()
    quiet = {"DEBIAN_FRONTEND": "noninteractive"}
    try:
        run(["apt-get", "--quiet", "update"], timeout=_APT_SECONDS, env=quiet)
        run(
            ["apt-get", "--quiet", "--yes", "--no-install-recommends", "install", *names],
            timeout=_APT_SECONDS,
            env=quiet,
        )
    except CommandFailed as error:
        raise ServerError(
            f"could not install {' '.join(names)}: {_last_line(error.stderr)}",
            hint="`apt-get install` by hand shows more",
        ) from error
    return tuple(sorted(_installed() - before))


def purge(names: Sequence[str]) -> None:
    """Remove packages and their configuration, as root. Raises ServerError."""
    present = sorted(_installed() & set(names))
    try:
        run(
            ["apt-get", "--quiet", "--yes", "purge", *present],
            timeout=_APT_SECONDS,
            env={"DEBIAN_FRONTEND": "noninteractive"},
        )
    except CommandFailed as error:
        raise ServerError(
            f"could not remove {' '.join(present)}: {_last_line(error.stderr)}",
            hint="`apt-get purge` by hand shows more",
        ) from error


def _installed() -> set[str]:
    lines = _dpkg("dpkg-query", "--show", "--showformat=${db:Status-Abbrev} ${Package}\n")
    return {line.split()[1] for line in lines.splitlines() if line.startswith("ii")}
