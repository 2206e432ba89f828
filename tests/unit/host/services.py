"""A stand-in for systemd and nginx: programs that remember in files which units are enabled and run."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from tests.unit.host.programs import Programs

_SYSTEMCTL = """
cd {folder}
verb=$1; unit=$2
[ ! -e "fails-$verb" ] || {{ echo "no $verb today" >&2; exit 1; }}
case "$verb" in
  show)
    case "$*" in
      *NRestarts*) cat "$unit.failures" 2>/dev/null || echo 0 ;;
      *MainPID*) cat "$unit.pid" 2>/dev/null || echo 0 ;;
      *) [ ! -e "$unit.enabled" ] || echo UnitFileState=enabled
         [ ! -e "$unit.active" ] && echo ActiveState=inactive || echo ActiveState=active ;;
    esac ;;
  enable) touch "$unit.enabled" ;;
  disable) rm -f "$unit.enabled" ;;
  start|restart) touch "$unit.active" ;;
  stop) rm -f "$unit.active" ;;
esac
"""
_NGINX = """
cd {folder}
if [ -e broken ]; then
  echo 'nginx: [emerg] unknown directive "broken" in foreign.conf:1' >&2
  echo 'nginx: configuration file nginx.conf test failed' >&2
  exit 1
fi
[ "$1" != -T ] || printf 'events {{}}\\n  user  {user};\\n'
"""


@dataclass(frozen=True)
class Services:
    """What the programs go by; `calls` gives their command lines in order."""

    folder: Path
    programs: Programs

    @classmethod
    def put(cls, folder: Path, programs: Programs, *, user: str = "root") -> Services:
        """Make the programs; nginx runs."""
        folder.mkdir()
        programs.add("systemctl", _SYSTEMCTL.format(folder=folder))
        programs.add("nginx", _NGINX.format(folder=folder, user=user))
        programs.add("journalctl", "echo 'it says so'; echo \"systemd says that ${1#--unit=} failed\"")
        (folder / "nginx.service.active").touch()
        return cls(folder, programs)

    def mark(self, name: str, *, there: bool = True) -> None:
        """`UNIT.active`, `UNIT.enabled`, `broken`, `fails-VERB`."""
        (self.folder / name).touch() if there else (self.folder / name).unlink()

    @property
    def state(self) -> frozenset[str]:
        """What is enabled and runs."""
        return frozenset(path.name for path in self.folder.iterdir())
