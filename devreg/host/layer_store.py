"""The layers of a local engine, read where it keeps them: its export would copy the whole image first.

Engines with the overlay2 driver keep a layer unpacked, and beside it what of its tar was not content of files
(vbatts/tar-split): both together give the tar back byte for byte. This is the engine's inside, so nobody has to take
the result on trust: whoever reads it compares the diffID. Needs root; without it, or for any other driver, nothing is
found here and the engine's export is the way.
"""

from __future__ import annotations

import gzip
import json
import os
import stat
from base64 import b64decode
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

_DRIVER = "overlay2"
_BLOCK = 2**20
_CONTENT, _REST = 1, 2  # the types of entries in a tar-split file


class StoreChanged(Exception):
    """A layer is not, or no longer, what its record says: the engine may be removing it."""


@dataclass(frozen=True)
class StoredLayer:
    """A layer on disk. `record`: its tar-split file; `files`: the folder with the content of its files."""

    record: Path
    files: Path
    size: int

    def blocks(self) -> Iterator[bytes]:
        """The layer's tar, in pieces. Raises StoreChanged."""
        checked: set[bytes] = set()
        try:
            with gzip.open(self.record) as lines:
                for line in lines:
                    entry = json.loads(line)
                    if entry["type"] == _REST:
                        yield b64decode(entry["payload"])
                    elif entry["type"] == _CONTENT and entry.get("size"):
                        yield from self._content(entry, checked)
        except StoreChanged:
            raise
        except Exception as error:  # a record may be damaged in every way
            raise StoreChanged(f"{self.record}: {error}") from error

    def _content(self, entry: Mapping[str, Any], checked: set[bytes]) -> Iterator[bytes]:
        name = b64decode(entry["name_raw"]) if "name_raw" in entry else entry["name"].encode()
        inside = os.path.normpath(b"/" + name).lstrip(b"/")  # as the engine takes absolute names, and `..` at the top
        path = os.path.join(os.fsencode(self.files), inside)  # noqa: PTH118  # names may be no text
        folder = os.path.dirname(path)  # noqa: PTH120
        if folder not in checked:
            # A link in an image must not lead to a file of this machine, nor a device node to its disk.
            if os.path.realpath(folder) != folder:
                raise StoreChanged(f"{folder!r} leads elsewhere")
            checked.add(folder)
        if not stat.S_ISREG(os.lstat(path).st_mode):
            raise StoreChanged(f"{path!r} is no regular file")
        left = int(entry["size"])
        file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            while left:
                block = os.read(file, min(left, _BLOCK))
                if not block:
                    raise StoreChanged(f"{path!r} is shorter than its record says")
                left -= len(block)
                yield block
        finally:
            os.close(file)


@dataclass(frozen=True)
class StoredImage:
    """An image on disk: its config, and its layers by diffID."""

    config: bytes
    layers: Mapping[str, StoredLayer]


def find(data_root: str, driver: str, image_id: str, diff_ids: Sequence[str]) -> StoredImage | None:
    """An image in the engine's folder `data_root`, None where it cannot be read there."""
    if driver != _DRIVER or not data_root:
        return None
    root = Path(os.path.realpath(data_root))
    try:
        config = (root / "image" / driver / "imagedb/content/sha256" / image_id.partition(":")[2]).read_bytes()
        if f"sha256:{sha256(config).hexdigest()}" != image_id:
            return None
        return StoredImage(config, {diff_id: _layer(root, chain) for diff_id, chain in _chains(diff_ids)})
    except (OSError, ValueError):
        return None


def _layer(root: Path, chain: str) -> StoredLayer:
    folder = root / "image" / _DRIVER / "layerdb/sha256" / chain
    record = folder / "tar-split.json.gz"
    files = root / _DRIVER / (folder / "cache-id").read_text().strip() / "diff"
    with record.open("rb"):  # may this user read it?
        os.scandir(files).close()
    return StoredLayer(record, files, int((folder / "size").read_text()))


def _chains(diff_ids: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Each layer with the hexadecimal ChainID of all up to it (OCI image-spec, config.md, "Layer ChainID")."""
    chain = ""
    for diff_id in diff_ids:
        chain = f"sha256:{sha256(f'{chain} {diff_id}'.encode()).hexdigest()}" if chain else diff_id
        yield diff_id, chain.partition(":")[2]
