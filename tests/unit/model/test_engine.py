from __future__ import annotations

import dataclasses

import pytest

from devreg.model.address import Address
from devreg.model.engine import EngineInfo, RunningContainer

PLAIN = EngineInfo("28.5.2", "Debian", "linux", False, False, False, (), ("127.0.0.0/8",), False, (), "overlay2")


@pytest.mark.parametrize(
    ("address", "insecure", "cidrs", "expected"),
    [
        ("reg:5000", ("reg:5000",), (), True),
        ("reg:5000", ("reg",), (), False),
        ("reg", ("reg:5000",), (), False),
        ("http://reg:5000", ("reg:5000",), (), True),
        ("10.0.0.5:5000", (), ("10.0.0.0/8",), True),
        ("10.0.0.5:5000", (), ("10.0.0.5/8",), True),
        ("11.0.0.5:5000", (), ("10.0.0.0/8",), False),
        ("[::1]:5000", (), ("::1/128",), True),
        ("[fd00::1]", (), ("10.0.0.0/8", "fd00::/8"), True),
        ("localhost:5000", (), ("127.0.0.0/8",), True),
        ("localhost:5000", (), ("10.0.0.0/8",), False),
        ("reg:5000", (), ("0.0.0.0/0", "::/0"), False),
    ],
)
def test_trust(address: str, insecure: tuple[str, ...], cidrs: tuple[str, ...], expected: bool) -> None:
    info = dataclasses.replace(PLAIN, insecure=insecure, insecure_cidrs=cidrs)
    assert info.trusts(Address.parse(address)) is expected


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("always", True), ("unless-stopped", True), ("on-failure", True), ("no", False), ("", False)],
)
def test_which_containers_come_back(policy: str, expected: bool) -> None:
    assert RunningContainer("web", policy).comes_back is expected
