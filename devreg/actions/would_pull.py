"""Whether a pull would bring anything, found without pulling."""

from __future__ import annotations

from devreg.actions.reach import open_registry
from devreg.engine.client import Engine
from devreg.model.address import HUB
from devreg.model.reference import Reference
from devreg.model.wire import digest_of


def is_here(engine: Engine, name: Reference) -> bool:
    """Whether the engine has an image of that name, from whichever registry. Raises EngineUnreachable."""
    return bool(_held(engine, name))


def newer(engine: Engine, name: Reference, *, timeout: float) -> str | None:
    """The digest that a pull would bring, None when the engine has it already.

    Raises NotFound, NotAuthorized, RegistryUnreachable, EngineUnreachable.
    """
    digests = (name.digest,) if name.digest else offered(name, timeout)
    return digests[0] if set(digests).isdisjoint(_held(engine, name)) else None


def _held(engine: Engine, name: Reference) -> tuple[str, ...]:
    from devreg.engine.digests import held

    return held(engine, name)


def offered(name: Reference, timeout: float) -> tuple[str, ...]:
    """The digest that the registry has for a name, and its sha256 where that is another: engines may go by either."""
    asked = name.within(HUB)
    with open_registry(asked.home, timeout=timeout) as opened:
        digest = opened.head_manifest(asked.repository, asked.version).digest
        if digest.startswith("sha256:"):
            return (digest,)
        content, _, _ = opened.manifest_body(asked.repository, digest)
        return digest, digest_of(content)
