from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devreg.model.challenge import Challenge, chosen, parse_challenges

BEARER = Challenge(
    "bearer", {"realm": "https://auth.example/token", "service": "reg", "scope": "repository:a:pull,push"}
)
BEARER_TEXT = 'Bearer realm="https://auth.example/token",service="reg",scope="repository:a:pull,push"'


@pytest.mark.parametrize(
    ("values", "challenges"),
    [
        ([BEARER_TEXT], (BEARER,)),
        (['Basic realm="a, b"'], (Challenge("basic", {"realm": "a, b"}),)),
        ([f'Basic realm="x", {BEARER_TEXT}'], (Challenge("basic", {"realm": "x"}), BEARER)),
        (['Basic realm="x"', BEARER_TEXT], (Challenge("basic", {"realm": "x"}), BEARER)),
        (["BASIC"], (Challenge("basic"),)),
        (["Negotiate, Basic"], (Challenge("negotiate"), Challenge("basic"))),
        (["Bearer REALM=https://a , Realm=https://b"], (Challenge("bearer", {"realm": "https://a"}),)),
        (["NTLM TlRMTVNTUAA=="], (Challenge("ntlm"),)),
        (['Basic realm=""'], (Challenge("basic", {"realm": ""}),)),
        (["realm=x"], ()),
        (["", ",,", '"', "=="], ()),
        ([], ()),
    ],
)
def test_parse(values: list[str], challenges: tuple[Challenge, ...]) -> None:
    assert tuple(parse_challenges(values)) == challenges


@pytest.mark.parametrize(
    ("text", "scheme"),
    [
        (f"Basic, {BEARER_TEXT}", "bearer"),
        (f"{BEARER_TEXT}, Basic", "bearer"),
        ('Bearer service="no realm", Basic', "basic"),
        ("Bearer", None),
        ("Negotiate", None),
        ("", None),
    ],
)
def test_chosen(text: str, scheme: str | None) -> None:
    challenge = chosen(parse_challenges([text]))
    assert (challenge and challenge.scheme) == scheme


@given(st.lists(st.text(alphabet='Bearic realm=",\\ \t\n\x00é', max_size=60)))
def test_nothing_breaks_it(values: list[str]) -> None:
    chosen(parse_challenges(values))
