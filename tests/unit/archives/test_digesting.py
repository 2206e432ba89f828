"""A digest worked out on a thread of its own."""

import hashlib

from devreg.archives.digesting import Digesting


def test_it_is_the_digest_of_what_was_told() -> None:
    digesting = Digesting()
    for piece in (b"one", b"", memoryview(b"two"), b"three"):
        digesting.update(piece)
    assert digesting.finish() == f"sha256:{hashlib.sha256(b'onetwothree').hexdigest()}"
    assert digesting.finish() == f"sha256:{hashlib.sha256(b'onetwothree').hexdigest()}"


def test_few_pieces_are_held() -> None:
    digesting = Digesting()
    for _ in range(50):
        digesting.update(bytes(10_000))
        assert len(digesting._waiting) <= 4
