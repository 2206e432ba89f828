"""References: `[registry/]repository[:tag][@digest]`, by the grammar of the engine (distribution/reference)."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from devreg.model.address import Address
from devreg.model.errors import UsageError

_COMPONENT = r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*"
_REPOSITORY = re.compile(rf"{_COMPONENT}(?:/{_COMPONENT})*")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}")
_MAX_NAME = 255
_WILD = frozenset("*?[")


@dataclass(frozen=True)
class Reference:
    """A parsed reference. `registry` is None for a name that carries none; `tag` and `digest` as they were given."""

    repository: str
    registry: Address | None = None
    tag: str | None = None
    digest: str | None = None

    def __str__(self) -> str:
        tag = f":{self.tag}" if self.tag else ""
        digest = f"@{self.digest}" if self.digest else ""
        return f"{self.name}{tag}{digest}"

    @property
    def name(self) -> str:
        """`registry/repository`, without tag and digest."""
        return f"{self.registry}/{self.repository}" if self.registry else self.repository

    @property
    def version(self) -> str:
        """What stands after `/manifests/` in the registry's API: the digest, else the tag, else `latest`."""
        return self.digest or self.tag or "latest"

    def at(self, registry: Address, prefix: str = "") -> Reference:
        """The same image in another registry, below `prefix` when one is given."""
        repository = f"{prefix}/{self.repository}" if prefix else self.repository
        return replace(self, registry=registry, repository=_filed(registry, checked_repository(repository)))

    def within(self, default: Address) -> Reference:
        """Itself where it names its registry, else the same image in `default`."""
        return self if self.registry else self.at(default)

    @property
    def home(self) -> Address:
        """The registry of a reference that was placed in one: by its own word, `at` or `within`."""
        if self.registry is None:
            raise AssertionError(f"{self} is in no registry")
        return self.registry

    @classmethod
    def whole(cls, text: str, *, instead: str) -> Reference:
        """Read a reference to a repository with all that is in it. Raises UsageError also for one to a single image.

        `instead`: what to do for that, with `{name}` and `{tag}` for its parts.
        """
        found = cls.parse(text)
        if found.tag or found.digest:
            hint = instead.format(name=found.name, tag=found.tag or "TAG")
            raise UsageError(f"{found} is a single image, not a repository", hint=hint)
        return found

    @classmethod
    def parse(cls, text: str) -> Reference:
        """Read a reference. Raises UsageError that names the fault."""
        rest, _, digest = text.partition("@")
        if "@" in text and not _DIGEST.fullmatch(digest):
            raise _bad(text, f"{digest!r} is not a digest such as sha256: and 64 hex digits")
        registry, rest = split_registry(rest)
        repository, colon, tag = rest.partition(":")
        if colon:
            checked_tag(tag, text)
        return cls(_filed(registry, checked_repository(repository)), registry, tag or None, digest or None)


@dataclass(frozen=True)
class Destination:
    """Where `push --to` sends images: a registry, and a prefix for their names (empty for none)."""

    registry: Address
    prefix: str = ""

    @classmethod
    def parse(cls, text: str) -> Destination:
        """Read `REGISTRY[/PREFIX]`. Raises UsageError that names the fault."""
        scheme, mark, rest = text.rpartition("://")
        host, _, prefix = rest.removesuffix("/").partition("/")
        registry = Address.parse(f"{scheme}{mark}{host}")
        if not is_registry(str(registry)):
            raise UsageError(
                f"{host!r} cannot stand in an image's name: Docker would take it for an account of its hub",
                hint=f"write it with its port: {host}:443, or {host}:80",
            )
        if ":" in prefix:
            raise UsageError(
                f"{text!r} is an image's name: this says where to, and the image keeps its name there",
                hint=f"write {registry}, or {registry}/PREFIX; to call an image otherwise: devreg push IMAGE --as NAME",
            )
        return cls(registry, checked_repository(prefix) if prefix else "")


def checked_repository(name: str) -> str:
    """`name`, or UsageError when no registry would take it as a repository."""
    if name != name.lower():
        raise _bad(name, "repository names are lower case", f"write {name.lower()}")
    if len(name) > _MAX_NAME or not _REPOSITORY.fullmatch(name):
        raise _bad(name, "a repository name is lower-case words joined by / . _ or -")
    return name


def is_tag(text: str) -> bool:
    """Whether registries and engines would take `text` as a tag."""
    return _TAG.fullmatch(text) is not None


def split_glob(text: str) -> tuple[str, str | None]:
    """A name whose tag is a glob (fnmatch), such as `app:1.*`, as `app` and `1.*`; None where the tag is none."""
    name, colon, tag = text.rpartition(":")
    is_glob = colon and "/" not in tag and not _WILD.isdisjoint(tag)
    return (name, tag) if is_glob else (text, None)


def checked_tag(tag: str, text: str | None = None) -> str:
    """`tag`, or UsageError when no registry would take it as one. `text` is what it stands in."""
    if is_tag(tag):
        return tag
    if text is None:
        raise UsageError(f"{tag!r} is not a tag", hint="a tag is up to 128 letters, digits, and _ . - inside")
    raise _bad(text, f"{tag!r} is not a tag: up to 128 letters, digits, and _ . - inside")


def _filed(registry: Address | None, repository: str) -> str:
    """Where a registry has a repository: Docker's hub has those of one word below `library/`."""
    return f"library/{repository}" if registry and registry.is_hub and "/" not in repository else repository


def is_registry(first: str) -> bool:
    """The engine's rule: the first part of a name is a registry if it has a dot or a colon in it, or is `localhost`."""
    return "." in first or ":" in first or first == "localhost"


def split_registry(text: str) -> tuple[Address | None, str]:
    """The registry that a name begins with, None for one without, and the rest. Raises UsageError."""
    first, slash, rest = text.partition("/")
    if first in ("http:", "https:"):
        raise _bad(text, "a reference has no scheme", f"write {text.partition('://')[2]}")
    if slash and is_registry(first):
        return Address.parse(first), rest
    return None, text


def _bad(text: str, fault: str, hint: str = "write it as [registry/]repository[:tag]") -> UsageError:
    return UsageError(f"not an image reference: {text!r}: {fault}", hint=hint)
