"""A builder of buildx in a container: it has a copy of a buildkitd.toml, made when the builder was created."""

from __future__ import annotations

import base64
import json
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from devreg.flavours import toml_text
from devreg.flavours.asking import PROBE, ask
from devreg.flavours.buildkit import BuildkitdToml, insecure
from devreg.flavours.flavour import Flavour
from devreg.flavours.plain_services import ByCommands
from devreg.host import files
from devreg.model.address import Address
from devreg.model.engine import RunningContainer
from devreg.model.errors import ConfigUnusable
from devreg.model.verdict import Verdict

_DRIVER = "docker-container"
_COPY = "buildkitd.toml"
_OURS = {"http": True, "insecure": True}


def buildx(builder: str) -> Flavour:
    """The builder of that name. Its file is the one from which buildx makes new builders, buildkitd.default.toml.

    Raises ConfigUnusable where there is no such builder, for one that is not in a container or has several nodes, and
    for one whose own file says more than the default: recreating it would lose that.
    """
    folder = _folder()
    record = folder / "instances" / builder
    instance = _json(record)
    nodes = instance.get("Nodes") or []
    if not nodes:
        raise ConfigUnusable(f"there is no builder {builder}", hint="`docker buildx ls` lists them")
    if instance.get("Driver") != _DRIVER:
        raise ConfigUnusable(
            f"the builder {builder} has no buildkitd.toml: its driver is {instance.get('Driver')}",
            hint="with the driver docker, builds go by what Docker itself trusts",
        )
    file = folder / "buildkitd.default.toml"
    commands = _recreation(builder, instance, file, used=_json(folder / "current").get("Name") == builder)
    by_hand = "; ".join(map(shlex.join, commands))
    if len(nodes) > 1:
        raise ConfigUnusable(f"the builder {builder} has {len(nodes)} nodes", hint=f"recreate it by hand with {file}")
    if _loses(_copy(instance), toml_text.parse(files.read(file), str(file))):
        raise ConfigUnusable(
            f"the builder {builder} was created with a file that says more than {file}",
            hint=f"add its settings to {file}, then: {by_hand}",
        )
    return Flavour(
        name="buildx",
        files=BuildkitdToml(file),
        service=ByCommands(
            name=f"the builder {builder}",
            commands=commands,
            asks=("docker", "buildx", "inspect", builder),
            log=f"`docker logs buildx_buildkit_{nodes[0].get('Name')}`",
            sudo=False,
        ),
        witness=BuildxWitness(builder, record),
    )


@dataclass(frozen=True)
class BuildxWitness:
    """What the builder was created with, and how far it gets."""

    builder: str
    record: Path

    def live(self) -> frozenset[str]:
        """The insecure registries in the builder's own copy. Raises ConfigUnusable."""
        return frozenset(insecure(_copy_text(_json(self.record)), str(self.record)))

    def covers(self, address: Address) -> None:
        """No network or pattern makes a registry insecure."""

    def stops(self) -> tuple[RunningContainer, ...]:
        """No containers but the builder's own; its cache stays."""
        return ()

    def reaches(self, address: Address) -> Verdict:
        """Have it build from an image that no registry has."""
        argv = ("docker", "buildx", "build", "--builder", self.builder, "--progress", "plain", "-")
        return ask(argv, input=f"FROM {address}/{PROBE}\n")


def _folder() -> Path:
    """Where buildx keeps its builders."""
    if named := os.environ.get("BUILDX_CONFIG"):
        return Path(named)
    return Path(os.environ.get("DOCKER_CONFIG") or Path.home() / ".docker") / "buildx"


def _json(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(files.read(file) or b"{}")
    except ValueError as error:
        raise ConfigUnusable(f"{file} is not valid JSON: {error}", hint="`docker buildx ls` tells more") from error
    return found if isinstance(found, dict) else {}


def _copy_text(instance: dict[str, Any]) -> bytes:
    node = (instance.get("Nodes") or [{}])[0]
    return base64.b64decode((node.get("Files") or {}).get(_COPY, ""))


def _copy(instance: dict[str, Any]) -> dict[str, Any]:
    return toml_text.parse(_copy_text(instance), f"the buildkitd.toml of the builder {instance.get('Name')}")


def _loses(copy: dict[str, Any], default: dict[str, Any]) -> bool:
    """Whether the copy has settings that the default has not; tables such as devreg's aside."""
    registries = toml_text.tables(default, "registry")
    for name, table in toml_text.tables(copy, "registry").items():
        if table not in (_OURS, registries.get(name)):
            return True
    return any(default.get(key) != value for key, value in copy.items() if key != "registry")


def _recreation(builder: str, instance: dict[str, Any], file: Path, *, used: bool) -> tuple[Sequence[str], ...]:
    """The commands that make the builder anew as it was, with the file; its cache is kept."""
    node = (instance.get("Nodes") or [{}])[0]
    words = ["--name", builder, "--node", str(node.get("Name")), "--driver", _DRIVER, "--config", str(file)]
    for key, value in (node.get("DriverOpts") or {}).items():
        words += ["--driver-opt", f'"{key}={value}"' if "," in value else f"{key}={value}"]
    if flags := node.get("Flags"):
        words += ["--buildkitd-flags", shlex.join(flags)]
    if platforms := node.get("Platforms"):
        words += ["--platform", ",".join(map(_platform, platforms))]
    words += ["--use"] if used else []
    return (
        ("docker", "buildx", "rm", "--keep-state", builder),
        ("docker", "buildx", "create", *words, str(node.get("Endpoint"))),
        ("docker", "buildx", "inspect", "--bootstrap", builder),
    )


def _platform(platform: dict[str, str]) -> str:
    parts = (platform.get("os"), platform.get("architecture"), platform.get("variant"))
    return "/".join(part for part in parts if part)
