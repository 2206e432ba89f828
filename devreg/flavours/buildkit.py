"""A BuildKit of its own: buildkitd with a buildkitd.toml, which it reads at its start."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import platformdirs

from devreg.flavours import own_block, toml_text, unit_files
from devreg.flavours.asking import PROBE, ask
from devreg.flavours.flavour import Flavour
from devreg.flavours.plain_services import unit
from devreg.flavours.wanted import refuse_hub
from devreg.host import files
from devreg.host.edits import Edit
from devreg.model.address import Address
from devreg.model.daemon_json import decode
from devreg.model.engine import RunningContainer
from devreg.model.errors import ConfigUnusable
from devreg.model.verdict import Verdict

_UNITS = ("buildkit.service", "buildkitd.service")


def buildkit(root: Path = Path("/")) -> Flavour:
    """The buildkitd of this machine for root, for everybody else the user's own rootless one.

    Raises ConfigUnusable where no unit of systemd runs one.
    """
    rootful = files.is_root()
    found = unit_files.find(root, _UNITS, home=None if rootful else Path.home())
    folder = root / "etc" if rootful else Path(platformdirs.user_config_dir())
    file = folder / "buildkit/buildkitd.toml"
    if found is None:
        raise ConfigUnusable(
            "no unit of systemd runs a buildkitd here",
            hint=f'add [registry."host:port"] http = true, insecure = true to {file} and restart buildkitd',
        )
    if named := unit_files.flag(found, "--config"):
        file = Path(named)
    return Flavour(
        name="buildkit",
        files=BuildkitdToml(file),
        service=unit(found.name, user=not rootful),
        witness=BuildkitWitness(("buildctl", "build", "--progress", "plain", "--frontend", "gateway.v0")),
    )


@dataclass(frozen=True)
class BuildkitdToml:
    """A buildkitd.toml. With `http` and `insecure` BuildKit tries unverified TLS first, then plain HTTP."""

    path: Path

    def listed(self) -> tuple[str, ...]:
        """The registries that may speak plain HTTP. Raises ConfigUnusable."""
        return insecure(files.read(self.path), str(self.path))

    def lists(self, address: Address) -> bool:
        """Whether the registry has a table that lets it. Raises ConfigUnusable."""
        return str(address) in self.listed()

    def edits(self, add: Sequence[Address], remove: Sequence[Address]) -> tuple[Edit, ...]:
        """Tables of devreg's own put in or taken out. Raises ConfigUnusable, with the line, for an address that has a
        table of somebody else's."""
        source, before = str(self.path), files.read(self.path)
        listed, text = self.listed(), decode(before or b"", source)
        for address in add:
            if str(address) not in listed:
                refuse_hub(address)
                text = _with_table(text, address, source)
        for address in remove:
            if str(address) in listed:
                text = _without_table(text, address, source)
        return own_block.change(self.path, before, text)

    def undoing(self, edits: Sequence[Edit]) -> tuple[Edit, ...]:
        """The old bytes."""
        return tuple(edit.reversed() for edit in edits)


@dataclass(frozen=True)
class BuildkitWitness:
    """What buildkitd does when a build asks for an image. `program`: buildctl, with the words for a build by a
    frontend: that is an image, which buildkitd itself fetches."""

    program: Sequence[str]

    def live(self) -> None:
        """It does not tell what it has read."""

    def covers(self, address: Address) -> None:
        """No network or pattern makes a registry insecure."""

    def stops(self) -> tuple[RunningContainer, ...]:
        """No containers but those of builds, which a restart breaks off."""
        return ()

    def reaches(self, address: Address) -> Verdict:
        """Have it fetch a frontend that no registry has."""
        return ask([*self.program, "--opt", f"source={address}/{PROBE}"])


def insecure(data: bytes | None, source: str) -> tuple[str, ...]:
    """The registries that a buildkitd.toml lets speak plain HTTP. Raises ConfigUnusable."""
    registries = toml_text.tables(toml_text.parse(data, source), "registry")
    return tuple(name for name, table in registries.items() if isinstance(table, dict) and table.get("http") is True)


def _with_table(text: str, address: Address, source: str) -> str:
    before = toml_text.parse(text.encode(), source)
    if str(address) in toml_text.tables(before, "registry"):
        line = toml_text.line_of(text.encode(), str(address))
        hint = "add http = true and insecure = true there"
        raise toml_text.fault(source, line, f"{address} has a table already, without http = true", hint)
    after = own_block.with_block(text, _block(address))
    if _without(toml_text.parse(after.encode(), source), address) != _without(before, address):
        raise toml_text.fault(source, 1, "`registry` is not in tables of their own", "write each under [registry.…]")
    return after


def _without_table(text: str, address: Address, source: str) -> str:
    before = toml_text.parse(text.encode(), source)
    after = own_block.without_block(text, _block(address))
    if toml_text.parse(after.encode(), source) != _without(before, address):
        line = toml_text.line_of(text.encode(), str(address))
        raise toml_text.fault(source, line, f"{address} is trusted here, not by devreg", "take it out by hand")
    return after


def _block(address: Address) -> str:
    return f'[registry."{address}"]\n  http = true\n  insecure = true\n'


def _without(settings: dict[str, Any], address: Address) -> dict[str, Any]:
    registries = {k: v for k, v in toml_text.tables(settings, "registry").items() if k != str(address)}
    rest = {key: value for key, value in settings.items() if key != "registry"}
    return {**rest, "registry": registries} if registries else rest
