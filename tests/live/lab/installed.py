"""devreg as it is installed on a machine: its wheel, by pip, in a virtual environment."""

import sys
from pathlib import Path

from tests.live.lab.machine import Machine
from tests.live.lab.run import run

REPOSITORY = Path(__file__).parents[3]
DEVREG = "/opt/devreg/bin/devreg"


def build(folder: Path) -> Path:
    """Build the wheel of this checkout into `folder`; return its path."""
    run(sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder, REPOSITORY)
    (wheel,) = folder.glob("devreg-*.whl")
    return wheel


def install(machine: Machine, wheel: Path) -> None:
    """Install the wheel on a machine, as DEVREG."""
    machine.put(wheel, f"/opt/{wheel.name}")
    machine.run("python3", "-m", "venv", "/opt/devreg")
    machine.run("/opt/devreg/bin/pip", "install", "--quiet", f"/opt/{wheel.name}")
