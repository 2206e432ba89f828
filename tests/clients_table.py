"""`python -m tests.clients_table` writes the README's table of clients anew, from what they do at a real server."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

if __name__ == "__main__":
    os.environ["CLIENTS_TABLE"] = "write"
    sys.exit(pytest.main(["-q", str(Path(__file__).parent / "live/test_clients.py")]))
