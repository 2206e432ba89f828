"""Several repositories, one after the other."""

from __future__ import annotations

import pytest

from devreg.actions.deleting import in_each
from devreg.model.deletion_plan import Outcome
from devreg.model.errors import NotFound


def fails() -> Outcome:
    raise NotFound("gone", hint="look")


def test_a_repository_that_fails_is_no_reason_to_leave_out_the_next() -> None:
    first, second = in_each([("a", fails), ("b", lambda: Outcome("b", ("1",)))])
    assert (first.repository, [error.message for error in first.failed.values()]) == ("a", ["gone"])
    assert second.tags == ("1",)


def test_a_single_one_raises_what_hinders_it() -> None:
    with pytest.raises(NotFound):
        in_each([("a", fails)])
