"""How systemd reads a file of variables: see `EnvironmentFile=` in systemd.exec(5).

Measured against systemd's own reader, but for one thing: a comment that ends with a backslash goes on in the next line
before systemd 254, and here it ends, as it does since.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from devreg.host.unit_syntax import Line, read

# Texts, compiled at their first use: most runs of devreg read no such file.
# A value is quoted parts, then the rest of the line as it is. A quotation without an end goes on to that of the file.
_ASSIGNMENT = r"""(?xs)
    [ \t]* (?P<name> [^\n\r\#; \t] [^=\n\r]* ) =
    (?P<quoted> (?: [ \t] | "(?:\\.|[^"\\])*(?:"|\\?\Z) | '[^']*(?:'|\Z) )* )
    (?P<plain> (?: \\. | [^\\\n\r \t] | [ \t]+(?=[^ \t\n\r]) )* )
    | [^\n\r]+"""
_QUOTATION = r"""(?s)"((?:\\.|[^"\\])*)(?:"|\\?\Z)|'([^']*)(?:'|\Z)"""


def variables(file: Path) -> Iterator[tuple[str, str, Line]]:
    """Name, value and line of what a file of variables sets, whether variables can have such names or not."""
    text = read(file)
    for found in re.finditer(_ASSIGNMENT, text):
        if found["name"]:
            number = text.count("\n", 0, found.start("name")) + 1
            quoted = "".join(map(_unquoted, re.finditer(_QUOTATION, found["quoted"])))
            plain = re.sub(r"(?s)\\(.)", lambda escape: escape[1].strip("\n\r"), found["plain"])
            yield found["name"].rstrip(" \t"), quoted + plain, Line(file, number, found[0])


def _unquoted(quotation: re.Match[str]) -> str:
    """Between double quotes a backslash stays, but before what a shell too would want one for."""
    if quotation[1] is None:
        return quotation[2]
    return re.sub(r'\\(?:\n|(["\\`$]))', lambda found: found[1] or "", quotation[1])
