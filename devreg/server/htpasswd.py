"""The users of the registry: an htpasswd file as text, changed and read without any I/O."""

from __future__ import annotations

import re
import secrets
import string

from devreg.model.errors import NotFound, UsageError
from devreg.server import push_rules

# nginx runs crypt() in its worker, which answers nobody meanwhile, for each write: about three a layer of a push.
# Measured with nginx 1.22, one worker: 2.1 ms at cost 5, 3.9 at 6, 7.0 at 7, 13.3 at 8, 25.8 at 9, 51 at 10, 102 at 11,
# 202 at 12; a read that comes then waits for as long. 8 stays below what a network takes for an answer.
BCRYPT_COST = 8
_MAX_PASSWORD_BYTES = 72
_NAME = re.compile(r"[A-Za-z0-9._@-]{1,64}")


def users(text: str) -> tuple[str, ...]:
    """The names in an htpasswd file, sorted."""
    return tuple(sorted(line.partition(":")[0] for line in text.splitlines() if ":" in line))


def rules(text: str) -> dict[str, tuple[str, ...]]:
    """The globs of the repositories that users may push to, for the users who may not push everywhere."""
    found = {line.partition(":")[0]: push_rules.of(line) for line in text.splitlines() if ":" in line}
    return {name: globs for name, globs in sorted(found.items()) if globs is not None}


def check(name: str, password: str) -> None:
    """Raise UsageError for a name or a password that nobody could log in with."""
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"{name!r} cannot be a user's name",
            hint="up to 64 letters, digits and . _ @ - (a colon would end the name)",
        )
    if not password or "\0" in password or "\n" in password:
        raise UsageError("the password is empty or has a line break or a NUL in it", hint="choose another")
    if len(password.encode()) > _MAX_PASSWORD_BYTES:
        raise UsageError(
            "the password is longer than 72 bytes; bcrypt would ignore the rest", hint="choose a shorter one"
        )


def with_user(text: str, name: str, password: str) -> str:
    """The file with `name` added, or with a new password; rules stay. Raises UsageError as `check` does."""
    import bcrypt

    check(name, password)
    digest = bcrypt.hashpw(password.encode(), bcrypt.gensalt(BCRYPT_COST)).decode()
    # htpasswd writes the same algorithm as $2y$; every crypt() knows that name, not all know $2b$.
    return _with_line(text, name, digest.replace("$2b$", "$2y$", 1), rules(text).get(name))


def with_rules(text: str, name: str, globs: tuple[str, ...] | None) -> str:
    """The file in which `name` may push to these repositories only, for None to all. Raises NotFound, UsageError."""
    known(text, name)
    digest = next(line.split(":")[1] for line in text.splitlines() if line.startswith(f"{name}:"))
    return _with_line(text, name, digest, globs)


def without_user(text: str, name: str) -> str:
    """The file without `name`. Raises NotFound when it has no such user."""
    known(text, name)
    return "".join(f"{each}\n" for each in _others(text, name))


def known(text: str, name: str) -> None:
    """Raise NotFound unless the file has the user."""
    if name not in users(text):
        raise NotFound(f"the registry has no user {name}", hint="`devreg registry user list` shows who may push")


def _with_line(text: str, name: str, digest: str, globs: tuple[str, ...] | None) -> str:
    line = f"{name}:{digest}" if globs is None else f"{name}:{digest}:{push_rules.comment(globs)}"
    return "".join(f"{each}\n" for each in [*_others(text, name), line])


def _others(text: str, name: str) -> list[str]:
    return [line for line in text.splitlines() if line and line.partition(":")[0] != name]


def generated_password() -> str:
    """24 random letters and digits: about 142 bits, and nothing that a shell or a URL would change."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(24))
