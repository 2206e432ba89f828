"""What our authority issues is what OpenSSL accepts; and what is wrong with certificates that others have issued."""

from __future__ import annotations

import ssl
import subprocess
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
import trustme

from devreg.model.errors import ConfigUnusable
from devreg.server import certificates
from devreg.server.certificates import Pair

NOW = datetime.now(timezone.utc)
NAMES = ("registry.example.com", "192.0.2.5", "2001:db8::5", "localhost")


@pytest.fixture(scope="module")
def authority() -> Pair:
    return certificates.new_authority("somewhere")


@pytest.fixture(scope="module")
def issued(authority: Pair) -> Pair:
    return certificates.issue(authority, NAMES)


def given(leaf: trustme.LeafCert, chain: int | None = None) -> Pair:
    pems = [each.bytes().decode() for each in leaf.cert_chain_pems]
    return Pair("".join(pems[:chain]), leaf.private_key_pem.bytes().decode())


@pytest.mark.parametrize("name", NAMES)
def test_openssl_verifies_it_strictly_for_each_of_its_names(
    authority: Pair, issued: Pair, tmp_path: Path, name: str
) -> None:
    (tmp_path / "ca").write_text(authority.chain)
    (tmp_path / "leaf").write_text(issued.chain)
    kind = "-verify_ip" if name[0] == "1" or ":" in name else "-verify_hostname"
    words = ("openssl", "verify", "-x509_strict", "-purpose", "sslserver", "-CAfile", "ca", kind, name, "leaf")
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_it_covers_its_names_and_no_others(issued: Pair) -> None:
    assert certificates.covers(issued.chain, NAMES)
    assert not certificates.covers(issued.chain, ("other.example.com",))
    assert not certificates.covers(issued.chain, ("x.registry.example.com",))


def test_it_lasts_a_year_and_its_authority_ten(authority: Pair, issued: Pair) -> None:
    assert timedelta(days=396) < certificates.ends(issued.chain) - NOW < timedelta(days=398)
    assert timedelta(days=3650) < certificates.ends(authority.chain) - NOW < timedelta(days=3660)
    assert certificates.check(issued, NAMES, now=NOW) == certificates.ends(issued.chain)


def test_whose_it_is_can_be_told(authority: Pair, issued: Pair) -> None:
    assert certificates.issued_by(issued.chain, authority.chain)
    assert not certificates.issued_by(issued.chain, certificates.new_authority("somewhere").chain)
    assert certificates.issued_by(f"{issued.key}{issued.chain}", authority.chain), "as it lies in the server"


def test_keys_are_not_shown(issued: Pair) -> None:
    assert "PRIVATE" not in repr(issued)


def test_python_serves_with_it(issued: Pair, tmp_path: Path) -> None:
    (tmp_path / "pem").write_text(issued.key + issued.chain)
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(tmp_path / "pem")


def test_a_good_one_of_others_with_its_chain() -> None:
    middle = trustme.CA().create_child_ca()
    assert certificates.check(
        given(middle.issue_cert("a.example", "*.b.example")), ("a.example", "x.b.example"), now=NOW
    )


@pytest.mark.parametrize(
    ("pair", "fault"),
    [
        (lambda ca: Pair(given(ca.issue_cert("a")).chain, given(ca.issue_cert("a")).key), "the key does not belong"),
        (lambda ca: given(ca.issue_cert("b.example")), "it is not for a but for b.example"),
        (lambda ca: given(ca.issue_cert(common_name="a")), "no name at all"),
        (lambda ca: given(ca.issue_cert("a", not_after=NOW - timedelta(days=1))), "expired on"),
        (lambda ca: given(ca.issue_cert("a", not_before=NOW + timedelta(days=1))), "is not valid before"),
        (lambda ca: Pair("no PEM", given(ca.issue_cert("a")).key), "it is no certificate in PEM"),
        (lambda ca: Pair(given(ca.issue_cert("a")).chain, "no PEM"), "the key is no private key"),
    ],
)
def test_what_cannot_serve_is_told(pair, fault: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ConfigUnusable, match=fault):
        certificates.check(pair(trustme.CA()), ("a",), now=NOW)


def test_the_order_of_a_chain_is_told() -> None:
    middle = trustme.CA().create_child_ca()
    leaf = middle.issue_cert("a")
    pems = [each.bytes().decode() for each in leaf.cert_chain_pems]
    key = leaf.private_key_pem.bytes().decode()
    with pytest.raises(ConfigUnusable, match="its own certificate is not the first"):
        certificates.check(Pair("".join(reversed(pems)), key), ("a",), now=NOW)
    stranger = trustme.CA().cert_pem.bytes().decode()
    with pytest.raises(ConfigUnusable, match="did not issue it"):
        certificates.check(Pair(pems[0] + stranger, key), ("a",), now=NOW)


def test_an_encrypted_key_is_told(issued: Pair) -> None:
    words = ("openssl", "pkey", "-aes256", "-passout", "pass:x")
    encrypted = subprocess.run(words, input=issued.key, capture_output=True, text=True, check=True).stdout
    with pytest.raises(ConfigUnusable, match="encrypted"):
        certificates.check(Pair(issued.chain, encrypted), (), now=NOW)
