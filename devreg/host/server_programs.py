"""The programs of a registry server: those that are installed, else fetched from Debian's packages without installing.

What is fetched lies in a folder of devreg's: nothing of it starts by itself, and no root is needed.
"""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from devreg.host import packages
from devreg.host.run import CommandFailed, run
from devreg.model.errors import ServerError
from devreg.model.server_processes import Programs

_ANSWER_SECONDS = 10
_FOLDERS = ("usr/bin", "usr/sbin", "bin", "sbin")
# The C library belongs to the loader of programs, which is the system's: two of different builds do not go together.
_LEFT_OUT = ("libc6", "libc-bin")
# Where only root's shell looks: servers are there, which anybody may run.
_ALSO = "/usr/local/sbin:/usr/sbin:/sbin"
_PACKAGES = {"nginx": "nginx", "registry": "docker-registry"}


def find(fetched: Path) -> Programs:
    """The programs, installed or fetched into that folder. Raises ServerError that says what to install."""
    found = {
        "registry": _registry(fetched),
        "nginx": _program("nginx", fetched),
        "setpriv": _program("setpriv", fetched),
    }
    lacking = [name for name, file in found.items() if file is None]
    if lacking:
        raise ServerError(
            f"there is no program here for: {', '.join(lacking)}",
            hint="install nginx, the registry (https://github.com/distribution/distribution/releases, as `registry` on "
            "your PATH) and setpriv (util-linux)",
        )
    libraries = _libraries(fetched) if any(file and fetched in file.parents for file in found.values()) else ()
    return Programs(str(found["registry"]), str(found["nginx"]), str(found["setpriv"]), libraries)


def lacking(fetched: Path) -> tuple[str, ...]:
    """The Debian packages of the programs that are not here."""
    there = {"nginx": _program("nginx", fetched), "registry": _registry(fetched)}
    return tuple(_PACKAGES[name] for name, file in there.items() if file is None)


def fetch(names: tuple[str, ...], fetched: Path) -> None:
    """Lay the named packages, and what they need that is not installed, out in a folder. Raises ServerError."""
    building = fetched.with_name(f"{fetched.name}.new")
    shutil.rmtree(building, ignore_errors=True)
    try:
        if fetched.is_dir():  # what an earlier run has fetched
            shutil.copytree(fetched, building, symlinks=True)
        building.mkdir(mode=0o755, parents=True, exist_ok=True)
        with packages.fetched(names, beside_installed=True) as found:
            for package in found:
                if package.name not in _LEFT_OUT:
                    packages.unpack(package, building)
        building.chmod(0o755)
        shutil.rmtree(fetched, ignore_errors=True)
        building.rename(fetched)
    except OSError as error:
        raise ServerError(
            f"{' '.join(names)} could not be unpacked: {error}", hint="make room in the folder"
        ) from error
    finally:
        shutil.rmtree(building, ignore_errors=True)


def fetched_packages(fetched: Path) -> tuple[str, ...]:
    """The Debian packages of the programs that run from the folder. Raises ServerError as `find` does."""
    return tuple(_PACKAGES[role] for role in digests(fetched))


def digests(fetched: Path) -> dict[str, tuple[str, str]]:
    """Path and SHA-256 of each program that runs from the folder, by its role. Raises ServerError as `find` does."""
    found = find(fetched)
    files = {role: Path(getattr(found, role)) for role in _PACKAGES}
    return {
        role: (str(file), f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}")
        for role, file in files.items()
        if fetched in file.parents
    }


@contextmanager
def fetched_anew(names: tuple[str, ...], fetched: Path) -> Iterator[Path]:
    """A folder beside `fetched` with these packages as they are now, gone afterwards. Raises ServerError."""
    beside = fetched.with_name(f"{fetched.name}.renewed")
    shutil.rmtree(beside, ignore_errors=True)
    try:
        fetch(names, beside)
        yield beside
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def exchange(one: Path, other: Path) -> None:
    """Have each of two folders take the other's place. Raises ServerError."""
    between = one.with_name(f"{one.name}.before")
    try:
        one.rename(between)
        other.rename(one)
        between.rename(other)
    except OSError as error:
        raise ServerError(f"{one} could not be replaced: {error.strerror}", hint="see who may write there") from error


def may_run() -> bool:
    """Whether this is Linux: the ways to keep processes together that are used here are its own."""
    return platform.system() == "Linux"


def can_fetch() -> bool:
    """Whether this machine has packages to fetch from."""
    return packages.available()


def forget(fetched: Path) -> None:
    """Delete what was fetched. Raises ServerError."""
    try:
        if fetched.exists():
            shutil.rmtree(fetched)
    except OSError as error:
        raise ServerError(f"{fetched} could not be removed: {error}", hint="remove it by hand") from error


def refuse_broken(nginx: tuple[str, ...], environment: dict[str, str]) -> None:
    """Have nginx test its configuration. Raises ServerError with what it says."""
    try:
        run([*nginx, "-t"], env=environment, timeout=_ANSWER_SECONDS)
    except CommandFailed as error:
        said = [line for line in error.stderr.splitlines() if "[emerg]" in line] or [str(error)]
        raise ServerError(f"nginx refuses its configuration: {said[0]}", hint="mend what it says") from error


def _registry(fetched: Path) -> Path | None:
    """Debian calls it docker-registry; the project itself calls it registry, which may be the name of anything."""
    return _program("docker-registry", fetched) or _program("registry", fetched, _is_the_registry)


def _is_the_registry(file: Path) -> bool:
    with suppress(CommandFailed):  # it answers `registry github.com/docker/distribution 2.8.3`
        return "/distribution" in run([str(file), "--version"], timeout=_ANSWER_SECONDS).stdout
    return False


def _program(name: str, fetched: Path, right: Callable[[Path], bool] = lambda _: True) -> Path | None:
    installed = shutil.which(name, path=":".join(filter(None, (os.environ.get("PATH"), _ALSO))))
    if installed and right(Path(installed)):
        return Path(installed)
    there = (fetched / folder / name for folder in _FOLDERS)
    return next((file for file in there if file.is_file()), None)


def _libraries(fetched: Path) -> tuple[str, ...]:
    return tuple(sorted({str(file.parent) for file in fetched.rglob("*.so*") if "nginx/modules" not in str(file)}))
