"""A member of a pipe, on disk for as long as it is pushed: a pipe cannot be read again, and an upload may have to."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from devreg.archives.one_pass import Member
from devreg.archives.shelf import Shelved
from devreg.model.archive_json import damaged

_NAMED = re.compile(r"blobs/(sha256|sha512)/[0-9a-f]+")


@dataclass(frozen=True)
class Spooled:
    """A file that is gone when the member is done with. `digest`: of its bytes, of the kind that its name promises."""

    member: Shelved
    digest: str


@contextmanager
def spooled(member: Member) -> Iterator[Spooled]:
    """Write a member to a file of this user's alone. Raises ArchiveUnusable where there is no room for it."""
    named = _NAMED.fullmatch(member.name)
    sha = hashlib.new(named[1] if named else "sha256")
    with ExitStack() as closing:
        try:
            file = closing.enter_context(tempfile.NamedTemporaryFile(prefix="devreg-"))
            for block in member.blocks:
                sha.update(block)
                file.write(block)
            file.flush()
        except OSError as error:
            raise damaged(f"{member.name} cannot be kept on disk for its upload: {error}") from error
        path = Path(file.name)
        yield Spooled(
            Shelved(member.name, member.size, lambda: path.open("rb"), member.head), f"{sha.name}:{sha.hexdigest()}"
        )
