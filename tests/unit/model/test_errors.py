from __future__ import annotations

import inspect
import re

import pytest

from devreg.model import errors
from devreg.model.errors import DevregError

KINDS = DevregError.__subclasses__()
CONTRACT = {
    "partly-done": 1,
    "usage": 2,
    "config-unusable": 10,
    "engine-refused": 11,
    "rollback-failed": 12,
    "engine-unreachable": 13,
    "registry-unreachable": 20,
    "not-authorized": 21,
    "not-found": 22,
    "upload-failed": 23,
    "refused-overwrite": 24,
    "registry-server": 30,
}


def test_codes_and_exit_codes_are_the_contract() -> None:
    assert {kind.code: kind.exit_code for kind in KINDS} == CONTRACT


def test_no_two_kinds_share_an_exit_code_and_none_takes_the_boundarys() -> None:
    codes = [kind.exit_code for kind in KINDS]
    assert len(set(codes)) == len(codes)
    assert not set(codes) & {0, 3, 130}


def test_the_tree_at_the_top_of_the_module_is_the_tree() -> None:
    drawn = re.findall(r"[├└]── (\w+) +([\w-]+) +(\d+)", inspect.getdoc(errors) or "")
    assert drawn == [(kind.__name__, kind.code, str(kind.exit_code)) for kind in KINDS]


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_says_what_happened_and_what_to_do(kind: type[DevregError]) -> None:
    error = kind("it broke", hint="mend it")
    assert (str(error), error.message, error.hint) == ("it broke", "it broke", "mend it")
