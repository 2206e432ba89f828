"""How this host gets its Debian packages: read from apt's own files, so that other suites come the same way."""

from dataclasses import dataclass
from pathlib import Path

from tests.live.lab.run import run

APT = Path("/etc/apt")
KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")


@dataclass(frozen=True)
class Mirrors:
    """Where packages come from: the main archive and, if the host uses one, the security archive."""

    main: str
    security: str | None

    def sources(self, suite: str) -> str:
        """Return the lines of a sources.list for another suite from the same places."""
        lines = [f"deb [signed-by={KEYRING}] {self.main} {suite} main"]
        if self.security and suite != "sid":  # which has none
            lines.append(f"deb [signed-by={KEYRING}] {self.security} {suite}-security main")
        return "\n".join(lines) + "\n"


def mirrors() -> Mirrors:
    """Return the Debian archives that this host's apt uses."""
    if not KEYRING.is_file():
        raise AssertionError("the live tests need Debian's keys: apt-get install debian-archive-keyring")
    main, security = None, None
    for entry, suites in [*_deb822_entries(), *_one_line_entries()]:
        uri = _resolved(entry)
        if any(suite.endswith("-security") for suite in suites):
            security = security or uri
        elif uri.rstrip("/").endswith("/debian"):
            main = main or uri
    if main is None:
        raise AssertionError(f"no entry for a Debian archive in {APT}/sources.list and {APT}/sources.list.d")
    return Mirrors(main, security)


def _resolved(uri: str) -> str:
    """Return the first archive of a list of mirrors in a file (Debian's cloud images have it so), else the URI."""
    if not uri.startswith("mirror+file:"):
        return uri
    return Path("/" + uri.removeprefix("mirror+file:").lstrip("/")).read_text().split()[0]


def proxy() -> dict[str, str]:
    """Return apt's own proxy settings as environment variables, for tools that do not read apt's files."""
    found = {}
    for scheme in ("http", "https"):
        value = run("apt-config", "shell", "VALUE", f"Acquire::{scheme}::Proxy").stdout.strip()
        if value:
            found[f"{scheme}_proxy"] = value.removeprefix("VALUE=").strip("'")
    return found


def _deb822_entries() -> list[tuple[str, list[str]]]:
    """Return the first URI and the suites of each stanza in *.sources that gives binary packages."""
    entries = []
    for file in sorted((APT / "sources.list.d").glob("*.sources")):
        for stanza in file.read_text().split("\n\n"):
            pairs = [line.split(":", 1) for line in stanza.splitlines() if ":" in line and line[0] not in "# "]
            fields = {key.lower(): value.split() for key, value in pairs}
            if "deb" in fields.get("types", []) and fields.get("enabled") != ["no"] and fields.get("uris"):
                entries.append((fields["uris"][0], fields.get("suites", [])))
    return entries


def _one_line_entries() -> list[tuple[str, list[str]]]:
    """Return the URI and the suite of each line in *.list that gives binary packages."""
    entries = []
    for file in [APT / "sources.list", *sorted((APT / "sources.list.d").glob("*.list"))]:
        for line in file.read_text().splitlines() if file.is_file() else []:
            words = line.partition("]")[2].split() if "[" in line else line.split()[1:]
            if line.split()[:1] == ["deb"] and len(words) >= 2:
                entries.append((words[0], [words[1]]))
    return entries
