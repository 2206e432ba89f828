"""A registry's folder in certs.d: what may go in, whose it is, and what is wrong with what lies there."""

from __future__ import annotations

from pathlib import Path

import pytest
import trustme

from devreg.host.certificates import CA, CERT, KEY, Folder, authorities, lint
from devreg.model.errors import ConfigUnusable, RefusedOverwrite

PEM = trustme.CA().cert_pem.bytes()
SECRET = trustme.CA().issue_cert("x.example").private_key_pem.bytes()


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "certs.d/r.example:5000", tmp_path / "state")


def test_several_certificates_in_one_file() -> None:
    assert authorities(b"a comment\n" + PEM + trustme.CA().cert_pem.bytes(), "f").count("BEGIN") == 2


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "no file of certificates"),
        (b"\x30\x82\x01\xff", "no file of certificates"),
        (PEM + SECRET, "private key"),
        (SECRET, "private key"),
        (PEM[:300] + b"\n-----END CERTIFICATE-----\n", "cannot be read"),
        (PEM.replace(b"CERTIFICATE", b"CERTIFICATE REQUEST"), "no file of certificates"),
    ],
)
def test_what_is_no_authority_is_refused_without_repeating_it(data: bytes, words: str) -> None:
    with pytest.raises(ConfigUnusable, match=words) as caught:
        authorities(data, "the.pem")
    assert "-----" not in str(caught.value)


def test_files_are_written_with_their_modes_and_taken_away_again(folder: Folder) -> None:
    folder.write({CA: PEM, CERT: PEM, KEY: SECRET})
    modes = {path.name: path.stat().st_mode & 0o777 for path in folder.path.iterdir()}
    assert modes == {CA: 0o644, CERT: 0o644, KEY: 0o600}
    assert folder.remove_own() == ([folder.path / name for name in (CA, CERT, KEY)], [])
    assert not folder.path.exists()
    assert folder.owned() == {}


def test_a_file_of_somebody_else_is_not_written_over(folder: Folder) -> None:
    folder.path.mkdir(parents=True)
    (folder.path / CA).write_bytes(b"theirs")
    with pytest.raises(RefusedOverwrite, match=r"ca\.crt is there already"):
        folder.refuse_foreign({CA: PEM})
    folder.refuse_foreign({CA: b"theirs"})


def test_an_own_file_may_be_renewed(folder: Folder) -> None:
    folder.write({CA: PEM})
    folder.refuse_foreign({CA: b"new"})


def test_a_file_that_was_changed_since_stays(folder: Folder) -> None:
    folder.write({CA: PEM})
    (folder.path / CA).write_bytes(b"edited")
    assert folder.remove_own() == ([], [folder.path / CA])
    assert (folder.path / CA).read_bytes() == b"edited"


def test_everything_can_be_put_back(folder: Folder) -> None:
    folder.write({CA: b"old"})
    before, owned = folder.read(), folder.owned()
    folder.write({CA: PEM, CERT: PEM, KEY: SECRET})
    folder.put_back(before, owned)
    assert [path.name for path in folder.path.iterdir()] == [CA]
    assert (folder.path / CA).read_bytes() == b"old"
    assert folder.owned() == owned


def test_what_engines_ignore_or_stumble_over_is_named(tmp_path: Path) -> None:
    for name in ("ca.crt", "ca.pem", "a.cert", "b.cert", "b.key"):
        (tmp_path / name).touch()
    assert [words.partition(" ")[2] for words in lint(tmp_path)] == [
        "lacks its key a.key: pulls will fail",
        "is ignored by engines: authorities are named *.crt",
    ]
    assert lint(tmp_path / "none") == ()
