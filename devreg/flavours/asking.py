"""Having an engine's own program ask a registry for an image that no registry has."""

from __future__ import annotations

from collections.abc import Sequence

from devreg.host.run import CommandFailed, run
from devreg.model.verdict import Reach, Verdict, verdict

PROBE = "devreg-trust-probe:none"
_SECONDS = 90
# podman ends where a file of logins is named that does not exist (measured on 4.3); a probe needs none.
_NO_LOGINS = {"DOCKER_CONFIG": "", "REGISTRY_AUTH_FILE": ""}


def ask(argv: Sequence[str], *, input: str | None = None) -> Verdict:
    """What came of a command that pulls PROBE: nobody has it, so the program's words are the answer."""
    try:
        run(argv, input=input, timeout=_SECONDS, env=_NO_LOGINS)
    except CommandFailed as error:
        if error.code is None:
            return Verdict(Reach.UNREACHABLE, str(error))
        return verdict(_last_line(error.stderr) or error.stdout)
    return Verdict(Reach.ANSWERED)


def _last_line(text: str) -> str:
    """The error itself: what stands before it tells of other attempts and of progress."""
    return next((line for line in reversed(text.splitlines()) if line.strip()), "")
