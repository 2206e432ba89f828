"""The README's examples, run as they stand there, one after the other, by one user on a real engine."""

import re
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.live.conftest import free_port, start_server  # noqa: F401
from tests.live.lab.devreg import Devreg
from tests.live.lab.engine import Engine
from tests.live.lab.images import multi_layer_image
from tests.live.lab.run import run

README = (Path(__file__).parents[2] / "README.md").read_text()
EXAMPLES = dict(re.findall(r"<!-- (\w+) -->\n```sh\n(.*?)```", README, re.DOTALL))
ELSEWHERE = {"install": "test_machine.py runs it on a fresh machine", "test": "it is what runs this test"}
