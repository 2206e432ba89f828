"""`--tls` as text."""

from __future__ import annotations

import pytest

from devreg.model.errors import UsageError
from devreg.model.server_tls import Certificate, Tls, parse


def test_the_choices() -> None:
    assert parse("off") is Tls.OFF
    assert parse("self-signed") is Tls.SELF_SIGNED
    assert parse("/etc/tls/a.pem,/etc/tls/a.key") == Certificate("/etc/tls/a.pem", "/etc/tls/a.key")


@pytest.mark.parametrize("text", ["", "on", "a.pem", "a.pem,", ",a.key", "a,b,c"])
def test_what_is_none_of_them_is_refused(text: str) -> None:
    with pytest.raises(UsageError) as refusal:
        parse(text)
    assert "--tls" in refusal.value.hint
