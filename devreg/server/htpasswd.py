"""The users of the registry: an htpasswd file as text, changed and read without any I/O."""

from __future__ import annotations

import re
import secrets
import string

from devreg.model.errors import NotFound, UsageError

# nginx runs crypt() in its worker for every write: each step doubles the time for which it answers nobody. 8 costs
# about 15 ms; 10 and more block it for 50 to 100 ms (measured).
BCRYPT_COST = 8
_MAX_PASSWORD_BYTES = 72
_NAME = re.compile(r"[A-Za-z0-9._@-]{1,64}")


def users(text: str) -> tuple[str, ...]:
    """The names in an htpasswd file, sorted."""
    return tuple(sorted(line.partition(":")[0] for line in text.splitlines() if ":" in line))


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
    """The file with `name` added, or with a new password. Raises UsageError as `check` does."""
    import bcrypt

    check(name, password)
    digest = bcrypt.hashpw(password.encode(), bcrypt.gensalt(BCRYPT_COST)).decode()
    # htpasswd writes the same algorithm as $2y$; every crypt() knows that name, not all know $2b$.
    line = f"{name}:{digest.replace('$2b$', '$2y$', 1)}"
    return "".join(f"{each}\n" for each in [*_others(text, name), line])


def without_user(text: str, name: str) -> str:
    """The file without `name`. Raises NotFound when it has no such user."""
    if name not in users(text):
        raise NotFound(f"the registry has no user {name}", hint="`devreg registry user list` shows who may push")
    return "".join(f"{each}\n" for each in _others(text, name))


def _others(text: str, name: str) -> list[str]:
    return [line for line in text.splitlines() if line and line.partition(":")[0] != name]


def generated_password() -> str:
    """24 random letters and digits: about 142 bits, and nothing that a shell or a URL would change."""
    return "".join(secrets.choice(string.ascii_letters + string.digits) for _ in range(24))
