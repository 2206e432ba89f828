"""`python -m tests.pictures [FOLDER]` makes the pictures of the README anew, from a real registry."""

from __future__ import annotations

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import platformdirs

from tests.live.lab.devreg import Devreg
from tests.live.lab.plain_registry import plain_registry
from tests.live.lab.wire import Wire
from tests.pictures.scene import fill
from tests.pictures.screen import on_terminal, picture

PICTURES = {
    "repos": "devreg repos --details",
    "tags": "devreg tags team/app",
    "inspect": "devreg inspect team/app:1.10.0",
    "tree": "devreg tree team/app",
    "prune": "devreg prune team/app --keep 2",
}


def main(folder: Path) -> None:
    """Write `NAME.svg` for each picture."""
    cache = platformdirs.user_cache_path("devreg-tests", appauthor=False)
    with ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="devreg-pictures-")))
        server = stack.enter_context(plain_registry(scratch, cache))
        fill(Wire(server.address))
        user = Devreg(scratch / "user", f"unix://{scratch}/no-engine", registry=server.address)
        for name, command in PICTURES.items():
            written = on_terminal(user.command(*command.split()[1:]))
            shown = written.replace(server.address, "registry.example.com")
            (folder / f"{name}.svg").write_text(picture(command, shown))


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent)
