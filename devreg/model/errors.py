"""Every failure that devreg foresees.

DevregError                  code                  exit
├── PartlyDone               partly-done              1
├── UsageError               usage                    2
├── ConfigUnusable           config-unusable         10
├── EngineRefused            engine-refused          11
├── RollbackFailed           rollback-failed         12
├── EngineUnreachable        engine-unreachable      13
├── RegistryUnreachable      registry-unreachable    20
├── NotAuthorized            not-authorized          21
├── NotFound                 not-found               22
├── UploadFailed             upload-failed           23
│   └── ArchiveUnusable      the same
├── RefusedOverwrite         refused-overwrite       24
└── ServerError              registry-server         30

Exit codes 0 (done), 3 (a bug in devreg) and 130 (interrupted) belong to no class: the boundary in `cli` gives them.
"""

from __future__ import annotations

from typing import ClassVar


class DevregError(Exception):
    """A failure that the user can act on: one line that says what happened, and one that says what to do next."""

    code: ClassVar[str]
    exit_code: ClassVar[int]

    def __init__(self, message: str, *, hint: str) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class PartlyDone(DevregError):
    """Some of the things asked for were done, others were not."""

    code = "partly-done"
    exit_code = 1


class UsageError(DevregError):
    """The words on the command line, or a setting, cannot mean anything."""

    code = "usage"
    exit_code = 2


class ConfigUnusable(DevregError):
    """A configuration file is invalid, cannot be read or cannot be written. It is untouched."""

    code = "config-unusable"
    exit_code = 10


class EngineRefused(DevregError):
    """The engine did not take a change. Everything is as it was before."""

    code = "engine-refused"
    exit_code = 11


class RollbackFailed(DevregError):
    """The engine did not take a change, and putting things back failed too."""

    code = "rollback-failed"
    exit_code = 12


class EngineUnreachable(DevregError):
    """No engine answers, or not to this user."""

    code = "engine-unreachable"
    exit_code = 13


class RegistryUnreachable(DevregError):
    """The registry does not answer, not over an acceptable connection, or not as a registry."""

    code = "registry-unreachable"
    exit_code = 20


class NotAuthorized(DevregError):
    """The registry wants other credentials, or devreg refuses to send the ones it has.

    `denied`: the registry knew who asks, and does not allow it (403).
    """

    code = "not-authorized"
    exit_code = 21
    denied: bool = False


class NotFound(DevregError):
    """The image, repository, tag, container or user does not exist."""

    code = "not-found"
    exit_code = 22


class UploadFailed(DevregError):
    """The registry or the engine broke off a push."""

    code = "upload-failed"
    exit_code = 23


class ArchiveUnusable(UploadFailed):
    """An archive of images is damaged, incomplete or none at all. Nothing of it was pushed under a name.

    `fault`: what is wrong with its content, for those who found that content elsewhere.
    """

    fault: str = ""


class RefusedOverwrite(DevregError):
    """Something is in the way that devreg did not put there."""

    code = "refused-overwrite"
    exit_code = 24


class ServerError(DevregError):
    """The registry server that devreg runs could not be built, started, changed or stopped."""

    code = "registry-server"
    exit_code = 30
