"""The one writer of files: all of the new content or all of the old, whatever happens.

Same-directory temp file, fsync, rename, fsync of the directory; through symlinks; owner, mode and extended attributes
(ACLs, the SELinux label) stay. Models: regclient's conffile.go, borg's SaveFile.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timezone
from pathlib import Path

from devreg.model.errors import ConfigUnusable

_NEW_FILE_MODE = 0o644
_COPIES = 20  # of one file that was backed up
_SUFFIX = ".new"  # of temporary files
_FAULTS = {
    errno.EROFS: ("it is on a read-only file system", "remount it writable, or change the file where it comes from"),
    errno.ENOSPC: ("the file system is full", "free some space, then run the command again"),
    errno.EDQUOT: ("the disk quota is used up", "free some space, then run the command again"),
    errno.EACCES: ("permission denied", "run the command again with sudo"),
    errno.EPERM: ("the system does not permit it", "run the command with sudo; `lsattr` shows whether it is immutable"),
}


def is_root() -> bool:
    """Whether this process may change what belongs to the system."""
    return os.geteuid() == 0


def read(path: Path) -> bytes | None:
    """The content of a file; None when there is none. Raises ConfigUnusable when it cannot be read."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unusable("read", path, error) from error


def everybody_may_read(path: Path) -> bool:
    """Whether it is a regular file that all users may read; not so a pipe, such as a shell's `<(…)`, nor nothing."""
    try:
        mode = path.stat().st_mode
    except OSError:
        return False
    return stat.S_ISREG(mode) and bool(mode & stat.S_IROTH)


def modified(path: Path) -> float:
    """When the content of a file was last written, in seconds of the epoch. Raises OSError."""
    return path.stat().st_mtime


def may_write(path: Path) -> bool:
    """Whether this user may write the file, or make it and the folders that it lacks."""
    target = Path(os.path.realpath(path))
    there = next((each for each in (target, *target.parents) if each.exists()), target)
    return os.access(there, os.W_OK)


def make_private_folder(folder: Path) -> None:
    """Make a folder that only its owner may enter; one that is there stays as it is. Raises ConfigUnusable."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise _unusable("make", folder, error) from error


def write_atomic(path: Path, data: bytes, *, mode: int | None = None) -> None:
    """Make `data` the content of `path`.

    A new file gets `mode` or 0644, an old one keeps its own unless `mode` is given. A missing folder is made.
    Raises ConfigUnusable with a plain reason; the file is then as it was.
    """
    target = Path(os.path.realpath(path))
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            _replace(target, data, mode)
        except OSError as error:
            if error.errno != errno.EBUSY:
                raise
            _overwrite(target, data)  # a file that is a mount point, as in many containers, cannot be renamed over
    except OSError as error:
        raise _unusable("write", path, error) from error


def append(path: Path, text: str) -> None:
    """Add `text` to the end of a file that another program reads later. Raises ConfigUnusable."""
    try:
        with path.open("a", encoding="utf-8") as file:
            file.write(text)
    except OSError as error:
        raise _unusable("write", path, error) from error


def sweep(path: Path) -> None:
    """Delete what killed writers of `path` have left beside it. Only for those who hold the lock of its writers."""
    target = Path(os.path.realpath(path))
    for stray in target.parent.glob(f"{_temporary(target)}*{_SUFFIX}"):
        remove(stray)


def remove(path: Path) -> None:
    """Delete a file, for good. None there is fine. Raises ConfigUnusable when it cannot be deleted."""
    target = Path(os.path.realpath(path))
    try:
        target.unlink(missing_ok=True)
        _sync_folder(target.parent)
    except OSError as error:
        raise _unusable("remove", path, error) from error


def backup(path: Path, folder: Path) -> Path:
    """Copy a file into `folder` (made with mode 0700) under its name and the time, mode 0600. Return the copy's path.

    Of older copies of it the newest stay, twenty in all. Raises ConfigUnusable.
    """
    stamp = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%S.%fZ")
    copy = folder / f"{path.name}.{stamp}"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        data = path.read_bytes()
    except OSError as error:
        raise _unusable("back up", path, error) from error
    write_atomic(copy, data, mode=0o600)
    for old in sorted(folder.glob(f"{path.name}.*"))[:-_COPIES]:
        remove(old)
    return copy


@contextmanager
def locked(path: Path, *, seconds: float = 60) -> Iterator[None]:
    """Hold the lock file `path`, alone among all devreg. Raises ConfigUnusable when another holds it for `seconds`."""
    import filelock

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(path, timeout=seconds)
        lock.acquire()
    except filelock.Timeout as error:
        raise ConfigUnusable(
            f"another devreg is at work (waited {seconds:g} s for {path})", hint="wait until it is done, then try again"
        ) from error
    except OSError as error:
        raise _unusable("lock", path, error) from error
    try:
        yield
    finally:
        lock.release()


def _replace(target: Path, data: bytes, mode: int | None) -> None:
    import tempfile

    descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=_temporary(target), suffix=_SUFFIX)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            stream.write(data)
            stream.flush()
            _dress(descriptor, target, mode)
            os.fsync(descriptor)
        Path(name).replace(target)
    except BaseException:
        with suppress(OSError):
            Path(name).unlink()
        raise
    _sync_folder(target.parent)


def _temporary(target: Path) -> str:
    return f".{target.name}."


def _dress(descriptor: int, target: Path, mode: int | None) -> None:
    """Give the new file the owner, mode and extended attributes of the one that it replaces."""
    try:
        old = target.stat()
    except FileNotFoundError:
        os.fchmod(descriptor, _NEW_FILE_MODE if mode is None else mode)
        return
    with suppress(PermissionError):  # an ordinary user may rewrite a file of his group, but not give files away
        os.fchown(descriptor, old.st_uid, old.st_gid)
    os.fchmod(descriptor, old.st_mode & 0o7777 if mode is None else mode)
    for attribute in os.listxattr(target) if hasattr(os, "listxattr") else ():
        with suppress(PermissionError):  # security.* and trusted.* are root's
            os.setxattr(descriptor, attribute, os.getxattr(target, attribute))


def _overwrite(target: Path, data: bytes) -> None:
    old = target.read_bytes()
    try:
        _fill(target, data)
    except BaseException:
        _fill(target, old)
        raise


def _fill(target: Path, data: bytes) -> None:
    with target.open("r+b") as stream:
        stream.write(data)
        stream.truncate()
        stream.flush()
        os.fsync(stream.fileno())


def _sync_folder(folder: Path) -> None:
    """Make a rename last. The file is in place already, and some file systems cannot do this: no reason to fail."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _unusable(doing: str, path: Path, error: OSError) -> ConfigUnusable:
    fault, hint = _FAULTS.get(error.errno or 0, (error.strerror or str(error), "see what is at that path"))
    return ConfigUnusable(f"could not {doing} {path}: {fault}", hint=hint)
