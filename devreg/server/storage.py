"""The registry's data folder: the shell scripts that look into it and change it, and what they print as values.

They run beside the registry: in its container, whose image has busybox, or on the machine itself, which has the tools
by their own names. $1 is the data folder everywhere; what else depends on the place is in variables, see `Beside`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timezone

from devreg.model.results import Upload
from devreg.server.definition import CONFIG_FILE, DATA_FOLDER, DEBUG, PAUSE_FILE


@dataclass(frozen=True)
class Beside:
    """Where the scripts run. `data`: the data folder; `registry`: the program, with its `libraries` if those are apart;
    `config`: its configuration; `pause`: what the files that pause it begin with; `box`: the program that has the
    tools, empty for tools of their own."""

    data: str
    registry: str
    config: str
    pause: str
    box: str = ""
    libraries: str = ""

    @property
    def variables(self) -> dict[str, str]:
        """What the scripts find in their environment."""
        return {name: value for name, value in vars(self).items() if name != "data"}


IN_CONTAINER = Beside(DATA_FOLDER, "registry", CONFIG_FILE, PAUSE_FILE, box="busybox")

# Until its standard input ends, which it does when devreg does, whatever ends that.
PAUSE_UPLOADS = 'touch "$pause.uploads" && echo && cat >/dev/null; rm -f "$pause.uploads"'
PAUSE_WRITES = 'touch "$pause.writes" && echo && cat >/dev/null; rm -f "$pause.writes"'

IN_FLIGHT = f"$box wget -qO- http://{DEBUG}/metrics"
_WRITING = re.compile(r'registry_http_in_flight_requests\{handler="(?:blob_upload|blob_upload_chunk|manifest)"\} (\d+)')

_ROOT = '[ -d "$1/docker/registry/v2/repositories" ] || exit 0; cd "$1/docker/registry/v2" || exit 1'

# Repository, id, bytes, seconds since anything of it was written; separated by tabs. $3 is BEGUN or ANY: a
# registry that cancels an upload leaves the state of its hash behind (2.8), and nobody can go on with that.
UPLOADS = f"""
{_ROOT}
now=$($box date +%s)
$box timeout "$2" $box find repositories -type d -name _uploads | while read -r folder; do
  for upload in "$folder"/*; do
    [ -e "$upload$3" ] || continue
    last=$($box find "$upload" -exec $box stat -c %Y {{}} + 2>/dev/null | $box sort -n | $box tail -n 1)
    size=$($box stat -c %s "$upload/data" 2>/dev/null || echo 0)
    repository=${{folder#repositories/}}
    printf '%s\\t%s\\t%s\\t%s\\n' "${{repository%/_uploads}}" "${{upload##*/}}" "$size" $((now - ${{last:-now}}))
  done
done
"""
BEGUN, ANY = "/startedat", ""

# Free bytes, bytes used, repositories; a dash for what could not be counted within $2 seconds.
USAGE = """
$box df -kP "$1" | $box awk 'END { printf "%.0f\\n", $4 * 1024 }'
used=$($box timeout "$2" $box du -sk "$1" 2>/dev/null) && echo "${used%%[!0-9]*}" || echo -
cd "$1/docker/registry/v2/repositories" 2>/dev/null || { echo 0; exit 0; }
names=$($box timeout "$2" $box find . -type d -name _uploads -prune -o -type d -name _layers -prune \
  -o -type d -name _manifests -print -prune) || { echo -; exit 0; }
echo "$names" | $box grep -c _manifests || exit 0
"""

# What the registry's own collector would delete: it reads every manifest of every repository.
UNNEEDED = f"""
{_ROOT}
[ -d blobs ] || exit 0
exec ${{libraries:+env "LD_LIBRARY_PATH=$libraries"}} "$registry" garbage-collect --dry-run "$config"
"""
_UNNEEDED = re.compile(r"blob eligible for deletion: sha256:([0-9a-f]{64})")

# Of each blob listed in the file $2: hex digits, bytes, seconds since it came.
BLOBS = f"""
{_ROOT}
now=$($box date +%s)
while read -r hex; do
  at=blobs/sha256/${{hex%${{hex#??}}}}/$hex
  [ -e "$at/data" ] && echo "$hex $($box stat -c %s "$at/data") $((now - $($box stat -c %Y "$at")))"
done < "$2"
rm -f "$2"
"""

# The blobs that were uploaded or mounted in the last $2 minutes, also where they had been there before.
LINKED = f"""
{_ROOT}
$box find repositories -path '*/_layers/sha256/*/link' -mmin "-$2" | $box sed 's:/link$::; s:.*/::'
"""

# Delete the blobs listed in the file $2, and the uploads in $3. Not without the pause, which ends when devreg dies.
DELETE = f"""
{_ROOT}
while read -r hex; do
  [ -e "$pause.uploads" ] || [ -e "$pause.writes" ] || exit 9
  rm -rf "blobs/sha256/${{hex%${{hex#??}}}}/$hex" || exit 1
done < "$2"
while read -r upload; do rm -rf "repositories/$upload" || exit 1; done < "$3"
rm -f "$2" "$3"
"""

# Links as `path:digest`, those of tags or those of manifests. One that is deleted meanwhile is left out.
_LINKS = f"""
{_ROOT}
$box find repositories -type d -name _uploads -prune -o -type d -name _layers -prune -o -path '%s' -print0 \\
  | $box xargs -0 -r $box grep -H sha256
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
while read -r hex; do echo "blobs/sha256/${{hex%${{hex#??}}}}/$hex/data"; done < "$2" | $box xargs cat
code=$?
rm -f "$2"
exit $code
"""

# What a restore writes lies beside the data until it is verified; so does the old data until the new is in its place.
STAGE, _OLD = "devreg-restored", "devreg-replaced"
FIRST_FILE = '$box find "$1/docker" -type f 2>/dev/null | $box head -n 1'
SWEEP = f"""
cd "$1" || exit 1
[ -e docker ] || [ ! -e {_OLD} ] || mv {_OLD} docker || exit 1
rm -rf {STAGE} {_OLD} && mkdir {STAGE}
"""
SWAP = f"""
cd "$1" && $box sync || exit 1
[ ! -e docker ] || mv docker {_OLD} || exit 1
[ ! -e {STAGE}/docker ] || mv {STAGE}/docker docker || {{ mv {_OLD} docker; exit 1; }}
rm -rf {STAGE} {_OLD}
"""

_ASKED = re.compile(
    r'"(?:HEAD|GET) /v2/\S+/blobs/sha256(?::|%3[Aa])([0-9a-f]{64})\S* HTTP/[\d.]+" [23]'
    r'|"POST /v2/\S+[?&]mount=sha256(?::|%3[Aa])([0-9a-f]{64})\S* HTTP/[\d.]+" [23]'
)
_TIME = re.compile(r"\[(\d\d)/(\w{3})/(\d{4}:\d\d:\d\d:\d\d [+-]\d{4})\]")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


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


def asked_for(log: Iterable[str], since: datetime) -> Iterator[str]:
    """The blobs of which a client was told since then, by nginx's log, that they are there: a push may rely on that."""
    for line in log:
        if (found := _ASKED.search(line)) and _when(line) >= since:
            yield found[1] or found[2]


def _when(line: str) -> datetime:
    """When a line of nginx's log was written, to the second; the end of time where it does not say."""
    found = _TIME.search(line)
    if not found:
        return datetime.max.replace(tzinfo=timezone.utc)
    day, month, rest = found.groups()
    # Not by its name, which `strptime` reads in the language of the environment.
    return datetime.strptime(f"{day} {_MONTHS.index(month) + 1} {rest}", "%d %m %Y:%H:%M:%S %z")


def tags(lines: Iterable[str]) -> Iterator[tuple[str, str, str]]:
    """Repository, tag and digest of each link that `TAGS` found."""
    yield from (found.groups() for line in lines if (found := _TAG.fullmatch(line)))  # type: ignore[misc]


def manifests(lines: Iterable[str]) -> Iterator[tuple[str, str]]:
    """Repository and digest of each link that `MANIFESTS` found."""
    yield from (found.groups() for line in lines if (found := _MANIFEST.fullmatch(line)))  # type: ignore[misc]
