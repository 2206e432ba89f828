"""The completion script of each shell, and putting it where the shell reads it."""

from __future__ import annotations

import os
import shlex
from importlib.resources import files as resources
from pathlib import Path
from typing import Literal, get_args

from devreg.host import files
from devreg.host.state import state_folder
from devreg.model.errors import ConfigUnusable, UsageError
from devreg.model.results import Completion

Shell = Literal["bash", "zsh", "fish", "powershell"]

_SCRIPTS: dict[Shell, str] = {
    "bash": "devreg.bash",
    "zsh": "_devreg",  # zsh goes by that name
    "fish": "devreg.fish",
    "powershell": "devreg.ps1",
}
_LOADERS: dict[Shell, str] = {
    "bash": "[[ ! -r {file} ]] || source {file}",
    "zsh": "[[ ! -r {file} ]] || source {file}",
    "powershell": "if (Test-Path {file}) {{ . {file} }}",
}
_MARK = "  # devreg completion"  # ends the line in a start-up file, by which it is found again
# Without it, bash looks into no folder for completions.
_BASH_COMPLETION = (
    Path("/usr/share/bash-completion/bash_completion"),
    Path("/usr/local/share/bash-completion/bash_completion"),
    Path("/opt/homebrew/share/bash-completion/bash_completion"),
    Path("/etc/bash_completion"),
)


def script(shell: Shell) -> str:
    """The text of a shell's script."""
    return (resources("devreg.actions") / "completions" / _SCRIPTS[shell]).read_text()


def calling_shell() -> Shell:
    """The shell that devreg was called from, else the user's own. Raises UsageError where it is none of these."""
    import shellingham  # type: ignore[import-untyped]

    try:
        calling = str(shellingham.detect_shell()[0])
    except shellingham.ShellDetectionFailure:
        calling = ""
    for name in (calling, Path(os.environ.get("SHELL", "")).name):
        shell = "powershell" if name == "pwsh" else name
        if shell in _SCRIPTS:
            return shell
    raise UsageError("which shell this is cannot be told", hint=f"name it: {', '.join(get_args(Shell))}")


def install(shell: Shell) -> Completion:
    """Put the script where the shell reads it, with a line in its start-up file where it has to be told.

    Raises ConfigUnusable.
    """
    file, startup = _script_file(shell), _startup_file(shell)
    changed = _write(file, script(shell).encode())
    if startup:
        changed |= _change_startup(startup, f"{_LOADERS[shell].format(file=_quoted(shell, file))}{_MARK}")
    now = f"{'.' if shell == 'powershell' else 'source'} {_quoted(shell, file)}"
    return Completion(shell, str(file), None if startup is None else str(startup), now, changed)


def uninstall(shell: Shell) -> Completion:
    """Take away what `install` has put there. Raises ConfigUnusable."""
    file = _script_file(shell)
    changed = files.read(file) is not None
    files.remove(file)
    startup = _possible_startup_file(shell)
    if startup:
        changed |= _change_startup(startup, None)
    return Completion(shell, str(file), None if startup is None else str(startup), None, changed)


def _script_file(shell: Shell) -> Path:
    """Where a shell finds the script: bash and fish by themselves, zsh and PowerShell by a line in a start-up file."""
    data = _folder("XDG_DATA_HOME", ".local/share")
    return {
        "bash": data / "bash-completion/completions/devreg",
        "zsh": data / "zsh/site-functions/_devreg",
        "fish": _folder("XDG_CONFIG_HOME", ".config") / "fish/completions/devreg.fish",
        "powershell": data / "devreg/devreg.ps1",
    }[shell]


def _startup_file(shell: Shell) -> Path | None:
    """The start-up file that has to name the script; None for a shell that finds it."""
    if shell == "bash" and any(each.exists() for each in _BASH_COMPLETION):
        return None
    return _possible_startup_file(shell)


def _possible_startup_file(shell: Shell) -> Path | None:
    if shell == "zsh":
        return _folder("ZDOTDIR", "") / ".zshrc"
    if shell == "powershell":
        return _folder("XDG_CONFIG_HOME", ".config") / "powershell/profile.ps1"
    return _folder("HOME", "") / ".bashrc" if shell == "bash" else None


def _folder(variable: str, below_home: str) -> Path:
    """The folder that a variable names, else one in the home folder. Raises ConfigUnusable where there is no home."""
    try:
        return Path(os.environ.get(variable) or Path.home() / below_home)
    except RuntimeError as error:
        raise ConfigUnusable("this user has no home folder", hint="set HOME") from error


def _quoted(shell: Shell, file: Path) -> str:
    return "'" + str(file).replace("'", "''") + "'" if shell == "powershell" else shlex.quote(str(file))


def _change_startup(file: Path, line: str | None) -> bool:
    """Have `line` in a start-up file as the only one of ours, or none. False where it was so before."""
    before = files.read(file) or b""
    ours = [each for each in before.splitlines(keepends=True) if each.rstrip().endswith(_MARK.encode())]
    wanted = [] if line is None else [f"{line}\n".encode()]
    if ours == wanted:
        return False
    rest = b"".join(each for each in before.splitlines(keepends=True) if each not in ours)
    if wanted and rest and not rest.endswith(b"\n"):
        rest += b"\n"
    if before:
        files.backup(file, state_folder() / "backups")
    files.write_atomic(file, rest + b"".join(wanted))
    return True


def _write(file: Path, content: bytes) -> bool:
    if files.read(file) == content:
        return False
    files.write_atomic(file, content)
    return True
