"""The folder of a registry server that runs as plain processes: who may enter what in it, and the files in it."""

from __future__ import annotations

import grp
import os
import pwd
import secrets
import shutil
from contextlib import suppress
from pathlib import Path

from devreg.host.files import is_root, locked, read, sweep, write_atomic
from devreg.host.files import remove as remove_file
from devreg.host.run import CommandFailed, run
from devreg.model.errors import RefusedOverwrite, ServerError, UsageError
from devreg.model.server import ServerFile
from devreg.model.server_processes import Accounts, Place

# Debian's base-passwd keeps `daemon` for programs that have files to write and no account of their own.
_REGISTRY_USERS = ("docker-registry", "daemon")
_WORKERS = ("www-data", "nginx", "nobody")
_SECRET = "secret"  # noqa: S105 - the name of a file
_TRY_SECONDS = 10


def accounts() -> Accounts | None:
    """Whose rights the programs are given, where this is root; None for anybody else. Raises ServerError."""
    if not is_root():
        return None
    registry, workers = _first(_REGISTRY_USERS), _first(_WORKERS)
    return Accounts(registry.pw_name, workers.pw_name, grp.getgrgid(workers.pw_gid).gr_name)


def let_through(folder: Path) -> None:
    """Let everybody pass through a folder, not see what is in it: for a umask that made it root's alone."""
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(folder.stat().st_mode & 0o7777 | 0o111)


def make(place: Place, accounts: Accounts | None) -> None:
    """Make the folders and an empty users' file, as far as they are missing; each open to those who need it only.

    Raises RefusedOverwrite where something else is in the folder, ServerError where it cannot be made, UsageError where
    the registry's account cannot get there.
    """
    _refuse_foreign(place)
    group = grp.getgrnam(accounts.group).gr_gid if accounts else -1
    registry = pwd.getpwnam(accounts.registry).pw_uid if accounts else -1
    try:
        _folder(place.folder, 0o711 if accounts else 0o700)
        secret(place)  # which marks the folder as devreg's
        _folder(place.log, 0o700)
        _folder(place.tls, 0o700)
        for folder in (place.conf, place.users, place.run, place.temp):
            _folder(folder, 0o750, group=group)
        _folder(place.behind, 0o750, registry, group)
        _folder(place.data, 0o700, registry, group)
        file = Path(place.file(ServerFile.USERS))
        if not file.exists():
            write_atomic(file, b"", mode=0o640)
            os.chown(file, -1, group)
    except OSError as error:
        raise ServerError(
            f"{place.folder} cannot be the registry's: {error.strerror}", hint="choose another folder by --data"
        ) from error
    if accounts:
        _refuse_out_of_reach(place, accounts)


def put(place: Place, texts: dict[str, str], accounts: Accounts | None) -> None:
    """Make these the configuration files: those with a secret in them for their owner only; others go."""
    group = grp.getgrnam(accounts.group).gr_gid if accounts else -1
    kept = secret(place)
    for name, text in texts.items():
        file = Path(place.conf, name)
        sweep(file)
        write_atomic(file, text.encode(), mode=0o600 if kept in text else 0o640)
        os.chown(file, -1, group)
    for name in current(place).keys() - texts.keys():
        remove_file(Path(place.conf, name))


def end_pauses(place: Place) -> None:
    """Delete what a pause has left that ended with the machine: with it nobody could push. Raises ServerError."""
    try:
        for kind in ("pause", "list"):
            for file in Path(place.behind).glob(f"{kind}.*"):
                file.unlink(missing_ok=True)
    except OSError as error:
        raise ServerError(f"{place.behind} cannot be cleared: {error.strerror}", hint="see what is in it") from error


def current(place: Place) -> dict[str, str]:
    """The configuration files as they are now."""
    folder = Path(place.conf)
    files = sorted(each for each in folder.iterdir() if each.name[0] != ".") if folder.is_dir() else []
    return {file.name: (read(file) or b"").decode(errors="replace") for file in files}


def secret(place: Place) -> str:
    """What this server's registry signs its uploads with; made when first asked for."""
    file = Path(place.folder, _SECRET)
    known = (read(file) or b"").decode(errors="replace").strip()
    if known:
        return known
    made = secrets.token_hex(32)
    write_atomic(file, f"{made}\n".encode(), mode=0o600)
    return made


def has_data(place: Place) -> bool:
    """Whether a server was ever set up there."""
    return Path(place.folder, _SECRET).exists()


def remove(place: Place) -> None:
    """Delete the server's folders with all that is in them, and the folder itself where that is possible."""
    try:
        for folder in (place.data, place.users, place.tls, place.conf, place.log, place.temp, place.run):
            if Path(folder).exists():
                shutil.rmtree(folder)
        Path(place.folder, _SECRET).unlink(missing_ok=True)
    except OSError as error:
        raise ServerError(
            f"{place.folder} could not be removed: {error.strerror}", hint="see what is in it, then try again"
        ) from error
    with suppress(OSError):  # something else may be in it, or the folder that it is in may be another's
        Path(place.folder).rmdir()


def text(place: Place, file: ServerFile) -> str:
    """The text of a file, empty where there is none."""
    return (read(Path(place.file(file))) or b"").decode()


def replace(place: Place, file: ServerFile, before: str, after: str) -> bool:
    """Give a file the text `after` if it still has the text `before`; False when somebody was faster.

    The certificate, with its key, is its owner's alone; nginx' workers read the users.
    """
    path = Path(place.file(file))
    with locked(path.with_name("lock")):
        if text(place, file) != before:
            return False
        write_atomic(path, after.encode(), mode=0o600 if file is ServerFile.CERTIFICATE else 0o640)
        return True


def _folder(path: str, mode: int, user: int = -1, group: int = -1) -> None:
    """A folder of that mode and owner. One that is there gets them too: only devreg's own folders are named here."""
    folder = Path(path)
    folder.mkdir(parents=True, exist_ok=True)
    if folder.stat().st_mode & 0o7777 != mode:
        folder.chmod(mode)
    os.chown(folder, user, group)


def _refuse_foreign(place: Place) -> None:
    folder = Path(place.folder)
    if folder.is_dir() and any(folder.iterdir()) and not has_data(place):
        raise RefusedOverwrite(
            f"{folder} is in use: it has files that are no registry's of devreg's",
            hint="choose an empty folder by --data",
        )


def _refuse_out_of_reach(place: Place, accounts: Accounts) -> None:
    identity = ("--reuid", accounts.registry, "--regid", accounts.group, "--clear-groups")
    try:
        run(["setpriv", *identity, "test", "-w", place.data], timeout=_TRY_SECONDS)
    except CommandFailed as error:
        raise UsageError(
            f"the user {accounts.registry}, whom the registry runs as, cannot get to {place.data}",
            hint="choose a folder by --data that others may pass through, such as /srv/registry",
        ) from error


def _first(names: tuple[str, ...]) -> pwd.struct_passwd:
    known = {each.pw_name: each for each in pwd.getpwall()}
    found = next((known[name] for name in names if name in known), None)
    if found is None:
        raise ServerError(f"this machine has none of the users {', '.join(names)}", hint=f"make one: {names[-1]}")
    return found
