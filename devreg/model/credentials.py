"""Who a user is to one registry."""

from __future__ import annotations

from dataclasses import dataclass, field

_TOKEN_USER = "<token>"  # noqa: S105 -- the name that credential helpers give an identity token, not a secret


@dataclass(frozen=True)
class Credentials:
    """A user name and its secret: a password, or an identity token when the name is `<token>`.

    The name `<token>` is the credential helper protocol's (docker/docker-credential-helpers).
    """

    username: str
    secret: str = field(repr=False)

    @property
    def is_identity_token(self) -> bool:
        """Whether `secret` is to be traded for an access token instead of being sent as a password."""
        return self.username == _TOKEN_USER

    @property
    def shown(self) -> str:
        """What messages call the secret."""
        return "the identity token" if self.is_identity_token else f"the password of {self.username}"
