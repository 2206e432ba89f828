"""devreg killed at the moment at which it is about to tell nginx to read its files again."""

from collections.abc import Mapping
from pathlib import Path

_SITE = """
import os, signal
from devreg.actions.serving import server_files

def dies(_self):
    os.kill(os.getpid(), signal.SIGKILL)

server_files.InContainer.reload = server_files.InFolder.reload = dies
"""


def killed_reload(folder: Path) -> Mapping[str, str]:
    """The environment of a call that dies there. `folder`: a new one, which the caller may read."""
    folder.mkdir(mode=0o755)
    (folder / "sitecustomize.py").write_text(_SITE)  # which Python imports by itself
    return {"PYTHONPATH": str(folder)}
