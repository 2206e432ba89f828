"""The nginx that this machine has: whether it likes its configuration, and how it is told to read it again."""

from __future__ import annotations

import os
import re
import shutil

from devreg.host import system_units
from devreg.host.run import CommandFailed, Completed, run
from devreg.model.errors import ServerError

UNIT = "nginx.service"
_SECONDS = 60
_USER = re.compile(r"^\s*user\s+([\w.-]+)(?:\s+([\w.-]+))?\s*;", re.MULTILINE)


def installed() -> bool:
    """Whether there is an nginx."""
    return shutil.which("nginx", path=_path()) is not None


def check() -> None:
    """Raise ServerError with nginx's own words unless it would start with the configuration that lies there."""
    try:
        _nginx("-t")
    except CommandFailed as error:
        raise ServerError(
            f"nginx does not take its configuration: {_reason(error)}", hint="mend that file; `nginx -t` tries it"
        ) from error


def workers_group() -> str:
    """The group of the workers, who read the users' passwords. Raises ServerError as `check` does."""
    check()
    found = _USER.search(_nginx("-T").stdout)
    return (found[2] or found[1]) if found else "nobody"


def reread() -> None:
    """Have nginx go by its configuration, and start it where it does not run. Raises ServerError."""
    if system_units.state(UNIT).active:
        _systemctl("reload")
    else:
        _systemctl("start")


def _systemctl(verb: str) -> None:
    try:
        run(["systemctl", verb, UNIT], timeout=_SECONDS)
    except CommandFailed as error:
        said = system_units.last_line(UNIT)
        raise ServerError(f"nginx could not be told to {verb}: {said}", hint="`journalctl -u nginx -n 30`") from error


def _nginx(option: str) -> Completed:
    return run(["nginx", option], timeout=_SECONDS, env={"PATH": _path()})


def _reason(error: CommandFailed) -> str:
    """The line that names the fault: after it nginx only says that the test failed."""
    return next((line for line in error.stderr.splitlines() if "[emerg]" in line), str(error)).strip()


def _path() -> str:
    """Daemons are not on everybody's PATH."""
    return f"{os.environ.get('PATH', '')}:/usr/local/sbin:/usr/sbin:/sbin"
