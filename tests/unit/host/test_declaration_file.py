"""A devreg.toml is read, or its fault told with file, line and key."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from devreg.host.declaration_file import parse, read
from devreg.model.declaration import Declaration
from devreg.model.errors import ConfigUnusable

WHOLE = """# CI workers
registry = "reg.example:5000"
pull = [
  "team/app:1.0",  # the app
  "base",
]

[[registries]]
address = "reg.example:5000"
trust = "insecure"

[[registries]]
address = "other.example"
username = "ci"
password_file = '''/run/secrets/ci'''
"""


def fault(text: str) -> str:
    with pytest.raises(ConfigUnusable) as caught:
        parse(text, "etc/devreg.toml")
    assert caught.value.hint
    return caught.value.message


def test_a_whole_file() -> None:
    declaration = parse(WHOLE, "devreg.toml")
    assert [str(each.address) for each in declaration.registries] == ["reg.example:5000", "other.example"]
    assert [str(each) for each in declaration.pull] == ["team/app:1.0", "base"]


def test_inline_tables_say_the_same() -> None:
    inline = 'registries = [\n  {address = "a:1", trust = "insecure"},\n  {address = "b:2"},\n]\n'
    tables = '[[registries]]\naddress = "a:1"\ntrust = "insecure"\n[[registries]]\naddress = "b:2"\n'
    assert parse(inline, "x") == parse(tables, "x")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("registry =", "regsitry =", "line 2: regsitry: there is no such key"),
        ('"reg.example:5000"\npull', "5000\npull", "line 2: registry: it is not text"),
        ('"base"', '"Base"', "line 5: pull[1]: not an image reference: 'Base'"),
        ('trust = "insecure"', 'trust = "yes"', "line 10: registries[0].trust: 'yes' is no kind of trust"),
        ('"other.example"', '"reg.example:5000"', "line 13: registries[1].address: reg.example:5000 is declared above"),
        ('address = "other.example"\n', "", "line 12: registries[1]: it has no address"),
        ("password_file", "password", "line 15: registries[1].password: a secret does not belong"),
        ("password_file", "password_stdin = true\npassword_env", "line 15: registries[1].password_stdin: password_env"),
        ('[[registries]]\naddress = "o', '[registries.x]\naddress = "o', "line 12: registries[0].x: there is no"),
    ],
)
def test_a_fault_is_told_with_line_and_key(old: str, new: str, said: str) -> None:
    assert old in WHOLE
    assert fault(WHOLE.replace(old, new, 1)).startswith(f"etc/devreg.toml, {said}")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("a b = 1\n", "line 1, column 5: invalid key"),
        ('registry "x"\n', "line 1, column 10: unexpected character: '\"'"),
        ('\n\nregistry = "x\n', "line 3, column 14: the line ends too early"),
        ('\r\nregistry = "x\r\n', "line 2, column 14: the line ends too early"),
        ("registry =\n", "line 1, column 11: the line ends too early"),
        ("\npull = [\n  1,\n", "line 2, column 1: what begins here has no end"),
        ('pull = """\n\n', "line 1, column 1: what begins here has no end"),
        ('registry = "a"\nregistry = "b"\npull = []\n', "line 2, column 1: it is there already"),
        ('[[registries]]\naddress = "a"\naddress = "b"\n', "line 3, column 1: it is there already"),
        ("pull = [1,,2]\n", "line 1, column 11: unexpected character: ','"),
        ("when = 2024-13-01\n", "line 1, column 18: invalid date"),
    ],
)
def test_what_is_no_toml_is_told_with_line_and_column(text: str, said: str) -> None:
    assert fault(text).startswith(f"etc/devreg.toml, {said}")


@given(st.text("registy=[]{}\"'\n#., ab1-\\\r\t\u2028\x00", max_size=60))
def test_odd_text_is_read_or_refused(text: str) -> None:
    try:
        parse(text, "x")
    except ConfigUnusable as error:
        assert error.message.startswith("x, line ")  # noqa: PT017 - either is fine


@given(st.integers(0, len(WHOLE) - 1), st.text("[]{}\"'=\n\\#ab", max_size=3))
def test_a_slip_of_the_pen_is_read_or_refused(place: int, slip: str) -> None:
    try:
        parse(WHOLE[:place] + slip + WHOLE[place + 1 :], "x")
    except ConfigUnusable as error:
        assert error.message.startswith("x, line ")  # noqa: PT017 - either is fine


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigUnusable, match=r"there is no file .*devreg\.toml"):
        read(tmp_path / "devreg.toml")


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(ConfigUnusable):
        read(tmp_path)


def test_what_is_not_utf_8_is_told_with_its_line(tmp_path: Path) -> None:
    file = tmp_path / "devreg.toml"
    file.write_bytes(b"# one\n# tw\xf6\n")
    with pytest.raises(ConfigUnusable, match="line 2: not UTF-8"):
        read(file)


def test_a_byte_order_mark_is_no_fault(tmp_path: Path) -> None:
    file = tmp_path / "devreg.toml"
    file.write_bytes(b"\xef\xbb\xbfpull = []\n")
    assert parse(read(file), str(file)) == Declaration()
