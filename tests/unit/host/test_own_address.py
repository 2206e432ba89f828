"""The addresses by which others reach this machine are its own."""

from __future__ import annotations

import socket

import pytest

from devreg.host import own_address


def test_they_are_addresses_of_this_machine() -> None:
    for address in own_address.primary():
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        with socket.socket(family) as probe:
            probe.bind((address, 0))  # which no other's address lets us do


def test_a_machine_without_a_network_has_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_address, "_ELSEWHERE", ((socket.AF_INET, "not an address"),))
    assert own_address.primary() == ()
