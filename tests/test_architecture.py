"""The arrows between the folders of devreg/, and what may be used where: read from the source of every file."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import typer

from devreg.cli.app import app

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "devreg"
FILES = sorted(PACKAGE.rglob("*.py"))

# What each folder may import of devreg, besides itself and the version in devreg/__init__.py.
ARROWS: dict[str, set[str]] = {
    "cli": {"actions", "output", "model", "settings"},
    "actions": {"flavours", "direct", "engine", "registry", "remote", "host", "server", "archives", "model"},
    "remote": {"registry", "host", "model"},
    "direct": {"registry", "remote", "host", "archives", "model"},
    "flavours": {"engine", "host", "model"},
    "engine": {"model"},
    "registry": {"model"},
    "host": {"model"},
    "server": {"model"},
    "archives": {"model"},
    "output": {"model"},
    "settings": {"model"},
    "model": set(),
    "__main__": {"cli"},
    "__init__": set(),
}
# `import devreg.x as y` in one file only, for the reason beside it.
EXCEPTIONS = {
    ("actions/config.py", "settings"),  # it writes them
    ("actions/reach.py", "settings"),  # whom the user trusts is asked there, once, for every command
}

# Who alone may import a library; whatever else lies outside the standard library is for anybody.
OWNERS = {
    **dict.fromkeys(("docker", "requests", "urllib3"), "engine"),
    **dict.fromkeys(("httpx", "httpx_retries", "httpcore", "httptools"), "registry"),
    **dict.fromkeys(("subprocess", "psutil", "filelock", "sqlite3"), "host"),
    **dict.fromkeys(("isal", "zlib_ng", "zlib"), "archives"),
    **dict.fromkeys(("rich",), "output"),
    **dict.fromkeys(("typer", "click"), "cli"),
    **dict.fromkeys(("bcrypt", "cryptography"), "server"),
}
PRINTERS = {"output", "cli"}
HEAVY = {
    "docker",
    "httpx",
    "requests",
    "rich.table",
    "rich.console",
    "bcrypt",
    "cryptography",
    "psutil",
    "tomlkit",
    "ruamel",
}
MAX_FILE, MAX_FUNCTION = 350, 60


def part(file: Path) -> str:
    """The folder of a file, or the file itself where it lies at the top."""
    return file.relative_to(PACKAGE).parts[0].removesuffix(".py")


def named(file: Path) -> str:
    return str(file.relative_to(PACKAGE))


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(), str(file))


def imported(module: ast.Module) -> Iterator[str]:
    """The full name of every import, wherever in the file it stands."""
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def ours(name: str) -> str | None:
    """The folder of devreg that an import leads to; None for the version and for other packages."""
    words = name.split(".")
    leads_in = words[0] == "devreg" and len(words) > 1 and words[1] != "__version__"
    return words[1] if leads_in else None


def test_there_is_something_to_look_at() -> None:
    assert len(FILES) > 40
    assert {part(file) for file in FILES} == set(ARROWS)
    assert "actions" in set(map(ours, imported(tree(PACKAGE / "cli/images.py"))))


@pytest.mark.parametrize("file", FILES, ids=named)
def test_imports_follow_the_arrows(file: Path) -> None:
    allowed = ARROWS[part(file)] | {part(file)}
    wrong = {
        to
        for to in map(ours, imported(tree(file)))
        if to is not None and to not in allowed and (named(file), to) not in EXCEPTIONS
    }
    assert not wrong, f"devreg/{named(file)} imports {', '.join(sorted(wrong))}"


@pytest.mark.parametrize("file", FILES, ids=named)
def test_libraries_are_used_in_one_place_each(file: Path) -> None:
    libraries = {name.split(".")[0] for name in imported(tree(file))}
    wrong = {library for library in libraries if OWNERS.get(library, part(file)) != part(file)}
    assert not wrong, f"devreg/{named(file)} imports {', '.join(sorted(wrong))}"


@pytest.mark.parametrize("file", [file for file in FILES if part(file) == "model"], ids=named)
def test_the_model_needs_nothing_but_the_standard_library(file: Path) -> None:
    libraries = {name.split(".")[0] for name in imported(tree(file))}
    assert libraries <= sys.stdlib_module_names | {"devreg"}


@pytest.mark.parametrize("file", [file for file in FILES if part(file) == "model"], ids=named)
def test_the_model_does_no_input_or_output(file: Path) -> None:
    libraries = {name.split(".")[0] for name in imported(tree(file))}
    assert not libraries & {"os", "pathlib", "socket", "urllib3", "shutil", "tempfile", "io", "sys", "time"}
    called = {node.func.id for node in ast.walk(tree(file)) if isinstance(node, ast.Call) and hasattr(node.func, "id")}
    assert "open" not in called


@pytest.mark.parametrize("file", FILES, ids=named)
def test_only_output_and_cli_print(file: Path) -> None:
    if part(file) in PRINTERS:
        return
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in ("print", "input"), f"line {node.lineno}"
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "sys":
            assert node.attr not in ("stdout", "stderr", "stdin", "__stdout__", "__stderr__"), f"line {node.lineno}"


@pytest.mark.parametrize("file", FILES, ids=named)
def test_only_the_entry_point_exits(file: Path) -> None:
    """The boundary gives a code back; nothing below raises SystemExit or ends the process."""
    if named(file) == "__main__.py":
        return
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            assert (node.value.id, node.attr) not in (("sys", "exit"), ("os", "_exit")), f"line {node.lineno}"
        if isinstance(node, ast.Name):
            assert node.id not in ("SystemExit", "exit", "quit"), f"line {node.lineno}"


@pytest.mark.parametrize("file", FILES, ids=named)
def test_imports_are_absolute(file: Path) -> None:
    relative = [node for node in ast.walk(tree(file)) if isinstance(node, ast.ImportFrom) and node.level]
    assert not relative


@pytest.mark.parametrize("file", FILES, ids=named)
def test_a_file_is_one_idea(file: Path) -> None:
    assert file.stem not in ("utils", "helpers", "common", "misc")
    lines = len(file.read_text().splitlines())
    assert lines <= MAX_FILE, f"{lines} lines"


@pytest.mark.parametrize("file", FILES, ids=named)
def test_a_function_fits_a_screen(file: Path) -> None:
    long = {
        node.name: length
        for node in ast.walk(tree(file))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and (length := (node.end_lineno or 0) - node.lineno + 1) > MAX_FUNCTION
    }
    assert not long


@pytest.mark.parametrize("file", FILES, ids=named)
def test_every_file_says_what_it_is_for(file: Path) -> None:
    assert ast.get_docstring(tree(file))


def test_no_folder_holds_a_single_file() -> None:
    folders = [path for path in PACKAGE.iterdir() if path.is_dir() and (path / "__init__.py").exists()]
    assert [path.name for path in folders if len(list(path.glob("*.py"))) <= 2] == []


def every_command() -> list[tuple[str, ...]]:
    """The words of every command and group, the root first."""
    found: list[tuple[str, ...]] = []

    def walk(words: tuple[str, ...], command: object) -> None:
        found.append(words)
        for name, child in getattr(command, "commands", {}).items():
            walk((*words, name), child)

    walk((), typer.main.get_command(app))
    return found


def test_version_and_help_import_no_adapters() -> None:
    """One process for all of them: what any of them imports stays in sys.modules."""
    lines = [["--version"], *([*words, "--help"] for words in every_command())]
    script = f"""
import contextlib, io, json, sys
from devreg.cli import boundary
from devreg.cli.app import app
codes = []
for words in {lines!r}:
    with contextlib.redirect_stdout(io.StringIO()) as out:
        codes.append((boundary.run(app, words), len(out.getvalue())))
print(json.dumps([codes, sorted(sys.modules)]))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    codes, modules = json.loads(done.stdout)
    assert len(lines) > 20
    assert all(code == 0 and written > 10 for code, written in codes)
    assert not HEAVY & set(modules)
