"""The README's examples, run as they stand there, one after the other, by one user on a real engine.

The command that installs runs in test_machine_without_init.py, those of a service in test_install.py; the one that
tests is what runs this.
"""

import re
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.live.conftest import free_port
from tests.live.lab.devreg import Devreg
from tests.live.lab.engine import Engine
from tests.live.lab.images import multi_layer_image
from tests.live.lab.run import search_path

README = (Path(__file__).parents[2] / "README.md").read_text()
EXAMPLES = dict(re.findall(r"<!-- (\w+) -->\n```sh\n(.*?)```", README, re.DOTALL))


@pytest.fixture
def address() -> str:
    """What stands in for the README's 127.0.0.1:5000, which may be taken on this machine."""
    return f"127.0.0.1:{free_port()}"


def test_every_example_is_known() -> None:
    assert set(EXAMPLES) == {
        *("install", "daily", "push", "see", "trust", "ci", "test"),
        *("server", "keep", "processes", "files", "service"),
    }
    assert README.count("```sh\n") == len(EXAMPLES)


def test_the_examples_work_as_written(root: Devreg, address: str, spare_engine: Engine, tmp_path: Path) -> None:
    with closing(spare_engine.client()) as client:
        multi_layer_image(client, "app:1.0")
    environment = {
        "DEVREG_LISTEN": address,
        "DEVREG_REGISTRY": address,
        "PASSWORD": "correct horse",
        "PATH": f"{Path(sys.executable).parent}:{search_path()}",
    }
    for name in ("daily", "push", "see", "trust", "ci", "server", "keep", "files"):
        script = EXAMPLES[name].replace("127.0.0.1:5000", address)
        done = root.shell(f"cd {tmp_path}\n{script}", env=environment)
        assert done.code == 0, f"{name}: {done.stdout}\n{done.stderr}"
        if name == "daily":
            assert re.search(r"^1\.0 +sha256:", done.stdout, re.MULTILINE)
        if name == "ci":
            assert re.search(r"^1\.0$", done.stdout, re.MULTILINE)
