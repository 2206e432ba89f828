"""The registry's data folder: the shell scripts that look into it and change it, and what they print as values.

They run beside the registry, in its container; its image has busybox. $1 is the data folder everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from devreg.model.results import Upload
from devreg.server.definition import CONFIG_FILE, DEBUG, PAUSE_FILE

# Until its standard input ends, which it does when devreg does, whatever ends that.
PAUSE_UPLOADS = f"touch {PAUSE_FILE}.uploads && echo && cat >/dev/null; rm -f {PAUSE_FILE}.uploads"
PAUSE_WRITES = f"touch {PAUSE_FILE}.writes && echo && cat >/dev/null; rm -f {PAUSE_FILE}.writes"

IN_FLIGHT = f"busybox wget -qO- http://{DEBUG}/metrics"
_WRITING = re.compile(r'registry_http_in_flight_requests\{handler="(?:blob_upload|blob_upload_chunk|manifest)"\} (\d+)')

_ROOT = '[ -d "$1/docker/registry/v2/repositories" ] || exit 0; cd "$1/docker/registry/v2" || exit 1'

# Repository, id, bytes, seconds since anything of it was written; separated by tabs.
_UPLOADS = f"""
{_ROOT}
now=$(busybox date +%%s)
busybox timeout "$2" busybox find repositories -type d -name _uploads | while read -r folder; do
  for upload in "$folder"/*; do
    [ -e "$upload%s" ] || continue
    last=$(busybox find "$upload" -exec busybox stat -c %%Y {{}} + 2>/dev/null | busybox sort -n | busybox tail -n 1)
    size=$(busybox stat -c %%s "$upload/data" 2>/dev/null || echo 0)
    repository=${{folder#repositories/}}
    printf '%%s\\t%%s\\t%%s\\t%%s\\n' "${{repository%%/_uploads}}" "${{upload##*/}}" "$size" $((now - ${{last:-now}}))
  done
done
"""
# A registry that cancels an upload leaves the state of its hash behind (2.8): nobody can go on with that.
UPLOADS, ALL_UPLOADS = _UPLOADS % "/startedat", _UPLOADS % ""

# Free bytes, bytes used, repositories; a dash for what could not be counted within $2 seconds.
USAGE = """
busybox df -kP "$1" | busybox awk 'END { printf "%.0f\\n", $4 * 1024 }'
used=$(busybox timeout "$2" busybox du -sk "$1" 2>/dev/null) && echo "${used%%[!0-9]*}" || echo -
cd "$1/docker/registry/v2/repositories" 2>/dev/null || { echo 0; exit 0; }
names=$(busybox timeout "$2" busybox find . -type d -name _uploads -prune -o -type d -name _layers -prune \
  -o -type d -name _manifests -print -prune) || { echo -; exit 0; }
echo "$names" | busybox grep -c _manifests || exit 0
"""

# What the registry's own collector would delete: it reads every manifest of every repository.
UNNEEDED = f"{_ROOT}; [ -d blobs ] || exit 0; exec registry garbage-collect --dry-run {CONFIG_FILE}"
_UNNEEDED = re.compile(r"blob eligible for deletion: sha256:([0-9a-f]{64})")

# Of each blob listed in the file $2: hex digits, bytes, seconds since it came.
BLOBS = f"""
{_ROOT}
now=$(busybox date +%s)
while read -r hex; do
  at=blobs/sha256/${{hex%${{hex#??}}}}/$hex
  [ -e "$at/data" ] && echo "$hex $(busybox stat -c %s "$at/data") $((now - $(busybox stat -c %Y "$at")))"
done < "$2"
rm -f "$2"
"""

# The blobs that were uploaded or mounted in the last $2 minutes, also where they had been there before.
LINKED = f"""
{_ROOT}
busybox find repositories -path '*/_layers/sha256/*/link' -mmin "-$2" | busybox sed 's:/link$::; s:.*/::'
"""

# Delete the blobs listed in the file $2, and the uploads in $3. Not without the pause, which ends when devreg dies.
DELETE = f"""
{_ROOT}
while read -r hex; do
  [ -e {PAUSE_FILE}.uploads ] || [ -e {PAUSE_FILE}.writes ] || exit 9
  rm -rf "blobs/sha256/${{hex%${{hex#??}}}}/$hex" || exit 1
done < "$2"
while read -r upload; do rm -rf "repositories/$upload" || exit 1; done < "$3"
rm -f "$2" "$3"
"""

# Links as `path:digest`, those of tags or those of manifests. One that is deleted meanwhile is left out.
_LINKS = f"""
{_ROOT}
busybox find repositories -type d -name _uploads -prune -o -type d -name _layers -prune -o -path '%s' -print0 \\
  | busybox xargs -0 -r busybox grep -H sha256
code=$?
[ $code -eq 0 ] || [ $code -eq 123 ]
"""
TAGS = _LINKS % "*/_manifests/tags/*/current/link"
MANIFESTS = _LINKS % "*/_manifests/revisions/sha256/*/link"
_TAG = re.compile(r"repositories/(.+)/_manifests/tags/([^/]+)/current/link:(sha256:[0-9a-f]{64})")
_MANIFEST = re.compile(r"repositories/(.+)/_manifests/revisions/sha256/[0-9a-f]{64}/link:(sha256:[0-9a-f]{64})")

# The content of the blobs that the file $2 lists, one after the other.
CONTENT = f"""
{_ROOT}
while read -r hex; do echo "blobs/sha256/${{hex%${{hex#??}}}}/$hex/data"; done < "$2" | busybox xargs cat
code=$?
rm -f "$2"
exit $code
"""

# What a restore writes lies beside the data until it is verified; so does the old data until the new is in its place.
STAGE, _OLD = "devreg-restored", "devreg-replaced"
FIRST_FILE = 'busybox find "$1/docker" -type f 2>/dev/null | busybox head -n 1'
SWEEP = f"""
cd "$1" || exit 1
[ -e docker ] || [ ! -e {_OLD} ] || mv {_OLD} docker || exit 1
rm -rf {STAGE} {_OLD} && mkdir {STAGE}
"""
SWAP = f"""
cd "$1" && busybox sync || exit 1
[ ! -e docker ] || mv docker {_OLD} || exit 1
[ ! -e {STAGE}/docker ] || mv {STAGE}/docker docker || {{ mv {_OLD} docker; exit 1; }}
rm -rf {STAGE} {_OLD}
"""

_ASKED = re.compile(
    r'"(?:HEAD|GET) /v2/\S+/blobs/sha256(?::|%3[Aa])([0-9a-f]{64})\S* HTTP/[\d.]+" [23]'
    r'|"POST /v2/\S+[?&]mount=sha256(?::|%3[Aa])([0-9a-f]{64})\S* HTTP/[\d.]+" [23]'
)


@dataclass(frozen=True)
class Blob:
    """A blob that no manifest needs: 64 hexadecimal digits, bytes, and the seconds since it came."""

    hex: str
    size: int
    age: int


def usage(lines: Iterable[str]) -> tuple[int | None, int | None, int | None]:
    """What `USAGE` found: bytes free, bytes used, repositories; None for what takes too long to count."""
    free, used, repositories = (None if line == "-" else int(line) for line in lines)
    return free, None if used is None else used * 1024, repositories


def in_flight(metrics: Iterable[str]) -> int:
    """How many requests that may write the registry is answering now."""
    return sum(int(found[1]) for line in metrics if (found := _WRITING.match(line)))


def uploads(lines: Iterable[str]) -> tuple[Upload, ...]:
    """The uploads that `UPLOADS` has found."""
    cells = (line.split("\t") for line in lines)
    return tuple(Upload(repository, id, int(size), int(idle)) for repository, id, size, idle in cells)


def unneeded(lines: Iterable[str]) -> list[str]:
    """The blobs, in hexadecimal digits, that `UNNEEDED` names."""
    return [found[1] for line in lines if (found := _UNNEEDED.search(line))]


def blobs(lines: Iterable[str]) -> tuple[Blob, ...]:
    """The blobs that `BLOBS` describes."""
    return tuple(Blob(hex, int(size), int(age)) for hex, size, age in map(str.split, lines))


def asked_for(log: Iterable[str]) -> Iterator[str]:
    """The blobs of which a client was told, by nginx's log, that they are there: a push may rely on that."""
    for line in log:
        if found := _ASKED.search(line):
            yield found[1] or found[2]


def tags(lines: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Repository, tag and digest of each link that `TAGS` found."""
    yield from (found.groups() for line in lines if (found := _TAG.fullmatch(line)))  # type: ignore[misc]


def manifests(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Repository and digest of each link that `MANIFESTS` found."""
    yield from (found.groups() for line in lines if (found := _MANIFEST.fullmatch(line)))  # type: ignore[misc]
