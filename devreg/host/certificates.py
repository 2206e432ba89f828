"""The folder where an engine looks for a registry's certificates: `certs.d/<host[:port]>/`.

`*.crt` are authorities, `NAME.cert` and `NAME.key` together a client's pair; other names are ignored in silence, and a
`.cert` without its `.key` breaks every pull (measured on engine 20.10 and 28.5). Engines read it at each use.
"""

from __future__ import annotations

import hashlib
import re
import ssl
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from devreg.host import files
from devreg.host.state import Record
from devreg.model.errors import ConfigUnusable, RefusedOverwrite

CA, CERT, KEY = "ca.crt", "client.cert", "client.key"
_MODES = {CA: 0o644, CERT: 0o644, KEY: 0o600}
_RECORD = "certificates"
_BLOCK = re.compile("-----BEGIN ([A-Z0-9 ]+)-----.*?-----END \\1-----", re.DOTALL)


@dataclass(frozen=True)
class Pair:
    """A client's certificate and its key, as PEM files."""

    certificate: Path
    key: Path


def authorities(data: bytes, source: str) -> str:
    """The text of a file of one or more CA certificates in PEM. Raises ConfigUnusable for anything else in it."""
    text = data.decode("ascii", errors="replace")
    kinds = [match[1] for match in _BLOCK.finditer(text)]
    if any("PRIVATE KEY" in kind for kind in kinds):
        raise ConfigUnusable(
            f"{source} has a private key in it", hint="give the certificate of the authority only; the key is a secret"
        )
    if not kinds or set(kinds) != {"CERTIFICATE"}:
        raise ConfigUnusable(
            f"{source} is no file of certificates in PEM",
            hint="`openssl x509 -inform der -in FILE -out ca.pem` turns DER into PEM",
        )
    try:
        ssl.create_default_context(cadata=text)
    except ssl.SSLError as error:
        raise ConfigUnusable(
            f"{source} has a certificate that cannot be read: {error.reason}", hint="export it again from its authority"
        ) from error
    return text


def lint(folder: Path) -> tuple[str, ...]:
    """What is wrong with the files that lie in a registry's folder, a sentence each."""
    names = {path.name for path in folder.glob("*")}
    return (
        *(f"{folder / name} lacks its key {name[:-5]}.key: pulls will fail" for name in sorted(names)
          if name.endswith(".cert") and f"{name[:-5]}.key" not in names),
        *(f"{folder / name} is ignored by engines: authorities are named *.crt" for name in sorted(names)
          if name.endswith(".pem")),
    )  # fmt: skip


class Folder:
    """The folder of one registry. `state`: where devreg remembers which of the files are its own."""

    def __init__(self, path: Path, state: Path) -> None:
        self.path = path
        self._record = Record(_RECORD, state)

    def read(self) -> dict[str, bytes | None]:
        """The files that devreg may write, as they are now. Raises ConfigUnusable."""
        return {name: files.read(self.path / name) for name in _MODES}

    def refuse_foreign(self, wanted: dict[str, bytes]) -> None:
        """Raise RefusedOverwrite where a file that somebody else has put there would be written over."""
        for name, now in self.read().items():
            if name in wanted and now not in (None, wanted[name]) and not self._is_own(name, now or b""):
                raise RefusedOverwrite(
                    f"{self.path / name} is there already, with other content, and devreg has not put it there",
                    hint="remove it or give --force, then run the command again",
                )

    def write(self, wanted: dict[str, bytes]) -> None:
        """Put files there and remember them as devreg's own. Raises ConfigUnusable."""
        self._remember({name: _digest(content) for name, content in wanted.items()})
        for name, content in wanted.items():
            files.write_atomic(self.path / name, content, mode=_MODES[name])

    def put_back(self, before: dict[str, bytes | None], owned: dict[str, str]) -> None:
        """Give the files the content that they had, and the record what it knew. Raises ConfigUnusable."""
        for name, content in before.items():
            if content is None:
                files.remove(self.path / name)
            else:
                files.write_atomic(self.path / name, content, mode=_MODES[name])
        self._tidy()
        self._note(owned)

    def owned(self) -> dict[str, str]:
        """The names of the files that devreg has put there, with the digests of their content."""
        return dict(self._record.entries.get(str(self.path), {}))

    def remove_own(self) -> tuple[list[Path], list[Path]]:
        """Delete what devreg has put there, but for files that were changed since. Returns both: gone, and kept."""
        gone, kept = [], []
        for name in self.owned():
            now = files.read(self.path / name)
            if now is None:
                continue
            if self._is_own(name, now):
                files.remove(self.path / name)
                gone.append(self.path / name)
            else:
                kept.append(self.path / name)
        self._tidy()
        self._record.forget(str(self.path))
        return gone, kept

    def _is_own(self, name: str, content: bytes) -> bool:
        return self.owned().get(name) == _digest(content)

    def _remember(self, more: dict[str, str]) -> None:
        self._note({**self.owned(), **more})

    def _note(self, owned: dict[str, str]) -> None:
        if owned:
            self._record.note(str(self.path), owned)
        else:
            self._record.forget(str(self.path))

    def _tidy(self) -> None:
        """An empty folder is none of a registry's; containerd would take it for one without settings."""
        with suppress(OSError):
            self.path.rmdir()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
