"""colima: a colima.yaml for each profile, from which it writes its engine's daemon.json whenever it starts."""

from __future__ import annotations

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from devreg.engine.client import Engine
from devreg.flavours import colima_yaml, own_block, users_socket
from devreg.flavours.docker_witness import DockerWitness
from devreg.flavours.flavour import Flavour
from devreg.flavours.restarted_engine import RestartedEngine
from devreg.flavours.wanted import refuse_hub
from devreg.host import files
from devreg.host.edits import Edit
from devreg.model.address import Address
from devreg.model.daemon_json import decode
from devreg.model.engine import EngineInfo
from devreg.model.errors import UsageError
from devreg.model.insecure_entry import accepted, has_entry

_NAME = "colima"
_DEFAULT = "default"
_SETTINGS = "colima.yaml"


def is_colima(info: EngineInfo, host: str) -> bool:
    """Whether colima runs the engine, by its machine's name, unless that is this machine, or by its socket's folder."""
    if info.name != socket.gethostname() and (info.name == _NAME or info.name.startswith(f"{_NAME}-")):
        return True
    return users_socket.place(host).parts[:-2][-1:] in ((".colima",), (_NAME,))


def colima(engine: Engine, info: EngineInfo) -> Flavour:
    """The profile of the user who runs devreg that runs the engine. Raises ConfigUnusable for another user's."""
    users_socket.refuse_others(engine.host)
    folder = _folder(users_socket.place(engine.host), info)
    profile = ("--profile", folder.name)
    witness = DockerWitness(engine)
    service = RestartedEngine(
        name=_NAME,
        commands=((_NAME, "restart", *profile),),  # `colima start` writes the file anew from its template
        asks=(_NAME, "status", *profile),
        log=f"`colima ssh --profile {folder.name} -- sudo journalctl --unit docker`",
        sudo=False,
        engine=engine,
        otherwise="put colima's program on PATH, and set COLIMA_HOME as it was when the profile was started",
    )
    return Flavour(
        name=_NAME,
        files=ColimaYaml(folder / _SETTINGS),
        service=service,
        witness=witness,
        certificates=Path.home() / ".docker/certs.d",
        preflight=service.preflight,
    )


@dataclass(frozen=True)
class ColimaYaml:
    """A colima.yaml, whose map under `docker` becomes the engine's daemon.json."""

    path: Path

    def listed(self) -> tuple[str, ...]:
        """The entries, as they stand there. Raises ConfigUnusable."""
        return colima_yaml.entries(colima_yaml.parse(self._text(), str(self.path)))

    def lists(self, address: Address) -> bool:
        """Whether an entry means this address. Raises ConfigUnusable."""
        return has_entry(self.listed(), str(address))

    def edits(self, add: Sequence[Address], remove: Sequence[Address]) -> tuple[Edit, ...]:
        """What to write. Raises ConfigUnusable, with line and column, for a file that cannot be edited; UsageError for
        an address that engines refuse in their list."""
        text, source = self._text(), str(self.path)
        for address in add:
            refuse_hub(address)
            if not accepted(str(address)):
                raise UsageError(f"engines refuse {address} in their list", hint=f"add the port: {address}:5000")
            text = colima_yaml.with_entry(text, str(address), source)
        for address in remove:
            text = colima_yaml.without_entry(text, str(address), source)
        return own_block.change(self.path, files.read(self.path), text)

    def undoing(self, edits: Sequence[Edit]) -> tuple[Edit, ...]:
        """The old bytes."""
        return tuple(edit.reversed() for edit in edits)

    def _text(self) -> str:
        return decode(files.read(self.path) or b"", str(self.path))


def _folder(place: Path, info: EngineInfo) -> Path:
    """The folder of the profile: its socket lies beside its settings, unless a tunnel or an old colima made it."""
    if (place.parent / _SETTINGS).exists():
        return place.parent
    profile = info.name.removeprefix(_NAME).removeprefix("-") or _DEFAULT
    return _home() / profile


def _home() -> Path:
    """Where colima looks itself, see its config/files.go."""
    given = os.environ.get("COLIMA_HOME")
    if given and Path(given).exists():
        return Path(given)
    usual = Path.home() / ".colima"
    settings = os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config"
    return usual if usual.exists() else Path(settings) / _NAME
