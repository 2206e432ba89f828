"""devreg.toml: its text → what it declares. A fault is told with the file, the line and the key."""

from __future__ import annotations

from pathlib import Path

from devreg.host import files
from devreg.model.declaration import Declaration, Misdeclared, declared
from devreg.model.errors import ConfigUnusable

_HINT = "`devreg bootstrap --help` shows how it is written"


def read(file: Path) -> str:
    """The text of a devreg.toml. Raises ConfigUnusable when it is missing, unreadable or not UTF-8."""
    data = files.read(file)
    if data is None:
        raise ConfigUnusable(f"there is no file {file}", hint=_HINT)
    try:
        return data.decode("utf-8-sig")  # Windows editors put a mark before the text
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ConfigUnusable(f"{file}, line {line}: not UTF-8 text", hint="save the file as UTF-8") from error


def parse(text: str, source: str) -> Declaration:
    """What the text of the file `source` declares. Raises ConfigUnusable.

    It names line and column where the text is not TOML, line and key where the declaration is at fault.
    """
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    from devreg.host import toml_lines

    try:
        document = tomlkit.parse(text).unwrap()
    except TOMLKitError as error:
        line, column, fault = _syntax(text, error)
        raise ConfigUnusable(f"{source}, line {line}, column {column}: {fault}", hint=_HINT) from error
    try:
        return declared(document)
    except Misdeclared as error:
        line = toml_lines.line_of(text, error.path)
        raise ConfigUnusable(
            f"{source}, line {line}: {_spelled(error.path)}: {error.message}", hint=error.hint
        ) from error


def _syntax(text: str, error: Exception) -> tuple[int, int, str]:
    """Line and column, from 1, and what is wrong there."""
    from devreg.host import toml_lines

    clash = toml_lines.first_clash(text)
    if clash is not None:
        return clash, 1, "it is there already, further up"
    first, _ = list(toml_lines.statements(text))[-1]
    line, column = getattr(error, "line", first), getattr(error, "col", 0)
    fault = str(error).partition(" at line ")[0]
    if "end of file" in fault or "'\\x00'" in fault:
        return first, 1, "what begins here has no end"
    end = len("".join(text.split("\n")[line - 1 : line]).rstrip("\r"))
    if column >= end and fault.startswith(("Unexpected character", "Control character")):
        fault = "the line ends too early: a quote, a bracket or a value is missing"
    return line, column + 1, fault[:1].lower() + fault[1:]


def _spelled(path: tuple[str | int, ...]) -> str:
    """A path as people write it: `registries[0].trust`."""
    words = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in path)
    return "".join(words).removeprefix(".")
