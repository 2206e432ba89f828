from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devreg.model.credentials import Credentials
from devreg.model.wire import digest_of, error_summary, is_digest, printable, same_digest


@pytest.mark.parametrize(
    ("content", "summary"),
    [
        ({"errors": [{"code": "NAME_UNKNOWN", "message": "no such name"}]}, "NAME_UNKNOWN: no such name"),
        ({"errors": [{"code": "A"}, {"code": "B", "message": "b", "detail": {}}]}, "A; B: b"),
        ({"errors": [{"code": "A", "message": "two\nlines \x1b[31m"}]}, "A: two lines [31m"),
        ({"errors": [{"code": "A", "message": "x" * 10_000}]}, "A: " + "x" * 197 + "…"),
        ({"errors": []}, ""),
        ({"errors": None}, ""),
        ({"errors": ["x"]}, ""),
        ({"errors": [{}]}, ""),
        ({"errors": 5}, ""),
        ({}, ""),
        ([], ""),
        (None, ""),
    ],
)
def test_error_summary(content: object, summary: str) -> None:
    assert error_summary(json.dumps(content).encode()) == summary


@given(st.binary() | st.text().map(str.encode))
def test_error_summary_of_anything(body: bytes) -> None:
    assert error_summary(body) == ""


@given(st.text())
def test_printable(text: str) -> None:
    line = printable(text)
    assert line.isprintable()
    assert len(line) <= 201


def test_digests() -> None:
    digest = digest_of(b"x")
    assert is_digest(digest)
    assert same_digest(b"x", digest)
    assert not same_digest(b"y", digest)
    assert not is_digest(digest.upper())
    assert not is_digest(f"{digest}\n")


def test_credentials_do_not_show_their_secret() -> None:
    assert "s3cret" not in repr(Credentials("alice", "s3cret"))
    assert Credentials("<token>", "x").is_identity_token
    assert not Credentials("alice", "x").is_identity_token
    assert Credentials("alice", "x").shown == "the password of alice"
