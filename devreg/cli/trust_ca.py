"""`devreg trust --ca`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from devreg.cli.options import timeout
from devreg.model.address import Address
from devreg.model.errors import UsageError
from devreg.output import console, document

if TYPE_CHECKING:
    from devreg.model.results import CaTrusted


@dataclass(frozen=True)
class Given:
    """The options as they were given. `ca`: a file, or `fetch`."""

    ca: str
    fingerprint: str
    cert: Path | None
    key: Path | None
    force: bool


def change(addresses: tuple[Address, ...], given: Given, kind: str | None, as_json: bool) -> None:
    """Have the engine trust a CA for one registry, and say what was done."""
    from devreg.actions import trust_ca as action
    from devreg.actions.trust_target import target
    from devreg.output.progress import reporting

    if len(addresses) != 1:
        raise UsageError("--ca is for one registry at a time", hint="run the command once for each")
    with reporting() as listener:
        flavour = target(kind, listener=listener)
        wish = action.asked(addresses[0], given.ca, given.fingerprint, given.cert, given.key, given.force, timeout())
        done = action.trust_ca(flavour, wish, timeout=timeout(), listener=listener)
    if as_json:
        document.success("trust", done, changed=done.changed)
    else:
        console.result(_sentence(done))


def _sentence(done: CaTrusted) -> str:
    if not done.changed:
        return f"{done.address}: its CA is trusted already; nothing was changed"
    tried = "the engine gets through" if done.verified else "it could not be tried"
    gone = "; its insecure entry is gone" if done.removed_insecure else ""
    return f"the engine verifies {done.address} by {done.file}: {tried}{gone}"
