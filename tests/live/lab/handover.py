"""What a machine needs from this host to reach the package sources that this host is configured for."""

import ast
import os
import re
import sys
from dataclasses import dataclass, field
from pathlib import Path

from tests.live.lab import apt
from tests.live.lab.rootfs import SUITE
from tests.live.lab.run import run

LOCAL_AUTHORITIES = Path("/usr/local/share/ca-certificates")
AUTHORITIES = Path("/etc/ssl/certs/ca-certificates.crt")
PIP_SETTINGS = (
    *("index-url", "extra-index-url", "find-links", "no-index", "constraint"),
    *("proxy", "cert", "client-cert", "trusted-host", "timeout", "default-timeout", "retries"),
)


@dataclass
class Handover:
    """Files to copy to the same place, texts to write, folders to mount read-only, variables to set."""

    files: set[Path] = field(default_factory=set)
    texts: dict[str, str] = field(default_factory=dict)
    folders: set[Path] = field(default_factory=set)
    variables: dict[str, str] = field(default_factory=dict)


def handover() -> Handover:
    """Collect this host's settings of apt, pip, proxies and certificate authorities."""
    found = Handover()
    found.files.update(file for file in LOCAL_AUTHORITIES.rglob("*.crt"))
    if AUTHORITIES.is_file():
        found.files.add(AUTHORITIES)
    found.variables.update({key: value for key, value in os.environ.items() if key.lower().endswith("_proxy")})
    _add_apt(found)
    _add_pip(found)
    return found


def _add_apt(found: Handover) -> None:
    """Add the archives, and each apt setting about fetching with the files that it names."""
    found.texts["/etc/apt/sources.list"] = apt.mirrors().sources(SUITE)
    found.files.update(file for file in (apt.APT / "auth.conf.d").glob("*") if file.is_file())
    for file in (apt.APT / "auth.conf", apt.APT / "apt.conf", *(apt.APT / "apt.conf.d").glob("*")):
        text = file.read_text() if file.is_file() else ""
        if "Acquire" in text or (text and file.name == "auth.conf"):
            found.files.add(file)
            found.files.update(path for name in re.findall(r'"(/[^"]+)"', text) if (path := Path(name)).is_file())


def _add_pip(found: Handover) -> None:
    """Add pip's settings about sources as one /etc/pip.conf, with the files and folders that they name."""
    settings: dict[str, list[str]] = {}
    for line in run(sys.executable, "-m", "pip", "config", "list").stdout.splitlines():
        name, _, literal = line.partition("=")
        scope, _, key = name.rpartition(".")
        # Variables (":env:") are listed first and win over files; `global` does over what one command has for itself.
        if key in PIP_SETTINGS and scope in (":env:", "global", "install"):
            settings.setdefault(key, str(ast.literal_eval(literal)).split())
    for key, words in settings.items():
        for word in words:
            _add_place(found, word, is_index=key.endswith("index-url"))
    lines = [f"{key} = " + "\n    ".join(words) for key, words in settings.items()]
    found.texts["/etc/pip.conf"] = "\n".join(["[global]", *lines, ""])


def _add_place(found: Handover, word: str, *, is_index: bool) -> None:
    """Add the file or folder that a word of pip's settings names, if it names one."""
    path = Path(word.removeprefix("file://").rstrip("/"))
    if not path.is_absolute() or path == Path("/"):
        return
    if path.is_file():
        found.files.add(path)
    elif path.is_dir():
        # The pages of an index on disk link to packages beside its folder, not in it.
        found.folders.add(path.parent if is_index and path.parent != Path("/") else path)
