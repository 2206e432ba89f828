"""The file system of the image that is made from Debian's packages, for machines that reach no hub."""

from __future__ import annotations

import io
import tarfile
from typing import IO

ROOTS = ("docker-registry", "nginx", "busybox-static")
# nginx-common has the mime types; of all else that apt would install, programs need the libraries only.
_WANTED = {*ROOTS, "nginx-common"}
_LIBRARIES = "libs"
_UNWANTED = ("usr/share/doc", "usr/share/man", "usr/share/perl", "usr/share/locale", "usr/share/lintian")
# Debian's /lib and its like are links into /usr; packages from before that change still ship them as folders.
_MERGED = ("bin", "sbin", "lib", "lib64")
_TOOLS = ("sh", "cat", "cmp", "grep", "ls", "mkdir", "mv", "nc", "rm", "rmdir", "sleep")
_USERS = "root:x:0:0:root:/root:/bin/sh\nnginx:x:101:101:nginx:/nonexistent:/bin/false\n"
_GROUPS = "root:x:0:\nnginx:x:101:\n"


def wanted(name: str, section: str) -> bool:
    """Whether a package of that name and Debian section belongs into the image."""
    return name in _WANTED or section == _LIBRARIES


class Rootfs:
    """A tar under construction: packages are laid over each other, the first of two files of one name wins."""

    def __init__(self, target: IO[bytes]) -> None:
        self._archive = tarfile.open(fileobj=target, mode="w")  # noqa: SIM115 - closed by finish()
        self._names: set[str] = set()
        for name in _MERGED:
            self._link(name, f"usr/{name}")

    def add(self, package: tarfile.TarFile) -> None:
        """Lay the files of one package over what is there."""
        for member in package:
            name = _moved(member.name)
            if not name or name.startswith(_UNWANTED) or "/perl" in name or "/gconv" in name:
                continue
            member.name = name
            if member.islnk():
                member.linkname = _moved(member.linkname)
            self._put(member, package.extractfile(member) if member.isreg() else None)

    def finish(self) -> None:
        """What no package brings: a shell, the users, the names by which the published images call the programs."""
        for tool in _TOOLS:
            self._link(f"usr/bin/{tool}", "busybox")
        self._link("usr/bin/registry", "docker-registry")
        self._file("etc/passwd", _USERS)
        self._file("etc/group", _GROUPS)
        for folder in ("run", "tmp", "var/lib/registry", "var/log/nginx", "var/lib/nginx", "etc/devreg"):
            self._folder(folder, 0o1777 if folder == "tmp" else 0o755)
        self._archive.close()

    def _put(self, member: tarfile.TarInfo, data: IO[bytes] | None) -> None:
        # The engine refuses an archive that names a path twice.
        if member.name not in self._names:
            self._names.add(member.name)
            self._archive.addfile(member, data)

    def _link(self, name: str, target: str) -> None:
        member = tarfile.TarInfo(name)
        member.type, member.linkname = tarfile.SYMTYPE, target
        self._put(member, None)

    def _file(self, name: str, text: str) -> None:
        member = tarfile.TarInfo(name)
        member.size = len(text.encode())
        self._put(member, io.BytesIO(text.encode()))

    def _folder(self, name: str, mode: int) -> None:
        member = tarfile.TarInfo(name)
        member.type, member.mode = tarfile.DIRTYPE, mode
        self._put(member, None)


def _moved(name: str) -> str:
    """A package's path, without the leading `./`, and below /usr where Debian has merged it."""
    name = name.removeprefix("./").strip("/")
    return f"usr/{name}" if name.partition("/")[0] in _MERGED else name if name != "." else ""
