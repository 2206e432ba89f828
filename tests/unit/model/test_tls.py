from __future__ import annotations

import pytest

from devreg.model.address import Address
from devreg.model.tls import Tls, connection


@pytest.mark.parametrize(
    ("text", "trusted", "tls", "secrets_over_http"),
    [
        ("reg:5000", False, Tls.VERIFIED, False),
        ("reg:5000", True, Tls.INSECURE, True),
        ("10.0.0.5", False, Tls.VERIFIED, False),
        ("localhost:5000", False, Tls.LOOPBACK, True),
        ("127.0.0.1:5000", False, Tls.LOOPBACK, True),
        ("[::1]:5000", True, Tls.LOOPBACK, True),
        ("https://reg", False, Tls.VERIFIED, False),
        ("https://reg", True, Tls.VERIFIED, True),
        ("https://localhost", False, Tls.VERIFIED, True),
        ("http://reg", False, Tls.PLAIN, False),
        ("http://reg", True, Tls.PLAIN, True),
        ("http://localhost:5000", False, Tls.PLAIN, True),
    ],
)
def test_scheme_counts_more_than_loopback_and_that_more_than_trust(
    text: str, trusted: bool, tls: Tls, secrets_over_http: bool
) -> None:
    decided = connection(Address.parse(text), trusted=trusted)
    assert decided.tls is tls
    assert decided.secrets_over_http is secrets_over_http
