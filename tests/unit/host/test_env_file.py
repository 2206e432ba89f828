"""Files of variables are read as systemd's own function reads the same bytes; comments as it does since 254."""

from __future__ import annotations

from pathlib import Path

import pytest

from devreg.host.env_file import variables


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", {}),
        ("A=1\nB=2", {"A": "1", "B": "2"}),
        ("A=1\nA=2\n", {"A": "2"}),
        (" \tA = 1 2 \t\n", {"A": "1 2"}),
        ("A=\nB=", {"A": "", "B": ""}),
        ("word\nA=1\nexport B=2\n", {"A": "1", "export B": "2"}),
        ("# A=1\n; B=2\n  # C=3\nD=4 # 5\n", {"D": "4 # 5"}),
        ("# \\\nA=1\n", {"A": "1"}),
        ('A="1 2"\nB=\'3 4\'\nC="it\'s"\n', {"A": "1 2", "B": "3 4", "C": "it's"}),
        ("A=1 \"2\" '3'\n", {"A": "1 \"2\" '3'"}),
        ('A="1" "2" 3\n', {"A": "123"}),
        ('A="1\n2"\nB=3\n', {"A": "1\n2", "B": "3"}),
        ("A='1\\\n2'\n", {"A": "1\\\n2"}),
        ('A="1\\\n2"\n', {"A": "12"}),
        ("A=1 \\\n 2\nB=3\n", {"A": "1  2", "B": "3"}),
        ("A=1\\ \nB=\\\\\\$\\n\n", {"A": "1 ", "B": "\\$n"}),
        (r'A="\"\\\$\`\n"', {"A": '"\\$`\\n'}),
        ("A=1\r\nB=2\r\n", {"A": "1", "B": "2"}),
        ("A=1 \\\r\nB=2\r\n", {"A": "1 ", "B": "2"}),
        ('A="1\nB=2\n', {"A": "1\nB=2\n"}),
        ("A='1\nB=2\n", {"A": "1\nB=2\n"}),
        ("A=1\u2028\x0cB=2\n", {"A": "1\u2028\x0cB=2"}),
        ("A=$B ${C}\n", {"A": "$B ${C}"}),
    ],
)
def test_a_file(tmp_path: Path, text: str, found: dict[str, str]) -> None:
    file = tmp_path / "env"
    file.write_bytes(text.encode())
    assert {name: value for name, value, _ in variables(file)} == found


def test_where_they_stand(tmp_path: Path) -> None:
    file = tmp_path / "env"
    file.write_text('# why\n\n  A="1\n2"\nB=3 \\\n  4\n\nC=5\n')
    assert [str(line) for _, _, line in variables(file)] == [f"{file}, line {number}" for number in (3, 5, 8)]


def test_what_cannot_be_read_sets_nothing(tmp_path: Path) -> None:
    assert list(variables(tmp_path)) == []
    assert list(variables(tmp_path / "nowhere")) == []
