"""A block put into a text and taken out of it again."""

from hypothesis import given
from hypothesis import strategies as st

from devreg.flavours.own_block import with_block, without_block

BLOCK = "[own]\nkey = 1\n"


def test_it_stands_after_an_empty_line() -> None:
    assert with_block("", BLOCK) == BLOCK
    assert with_block("a = 1", BLOCK) == f"a = 1\n\n{BLOCK}"
    assert with_block("a = 1\r\n", BLOCK) == "a = 1\r\n\r\n[own]\r\nkey = 1\r\n"


def test_it_is_taken_out_wherever_it_stands() -> None:
    assert without_block(f"{BLOCK}\nb = 1\n", BLOCK) == "b = 1\n"
    assert without_block(f"a = 1\n{BLOCK}b = 1\n", BLOCK) == "a = 1\nb = 1\n"
    assert without_block(f"a = 1\n\n{BLOCK}\nb = 1\n", BLOCK) == "a = 1\n\nb = 1\n"
    assert without_block("x[own]\nkey = 1\n", BLOCK) == "x[own]\nkey = 1\n"


@given(st.text("ab=#[]\n ", max_size=40), st.sampled_from(["\n", "\r\n"]))
def test_out_undoes_in(text: str, newline: str) -> None:
    before = text.replace("\n", newline)
    ended = before if not before or before.endswith("\n") else before + ("\r\n" if "\r\n" in before else "\n")
    assert without_block(with_block(before, BLOCK), BLOCK) == ended
