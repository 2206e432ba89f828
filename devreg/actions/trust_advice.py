"""What a plain `devreg trust` should know before it makes an engine careless: maybe the registry does not need that."""

from __future__ import annotations

from devreg.flavours.flavour import Flavour
from devreg.model.address import Address
from devreg.model.events import Listener, Warn
from devreg.model.verdict import Reach
from devreg.registry import handshake
from devreg.registry.handshake import Tls

_SECONDS = 2.0


def needed(flavour: Flavour, address: Address, listener: Listener) -> bool:
    """Whether insecure trust is of use: False where the registry speaks TLS that this system and the engine verify.

    Says so, and says where a CA would be the better way. Never raises for what the registry does.
    """
    if address.scheme == "http":
        return True
    found = handshake.shake(address, timeout=_SECONDS)
    if found.tls is Tls.VERIFIED and flavour.witness.reaches(address).reach is Reach.ANSWERED:
        listener(Warn(f"{address} {found.tls.value}, and the engine gets through: no trust is needed"))
        return False
    if found.tls is Tls.UNKNOWN_CA:
        shown = handshake.chain(address, timeout=_SECONDS)
        seen = f" (shown now: {handshake.fingerprint(shown[-1])})" if shown else ""
        listener(
            Warn(
                f"{address} speaks TLS: trusting its CA is safer than trusting anybody. Compare the fingerprint with "
                f"its owner, then `devreg trust {address} --ca fetch --fingerprint SHA256`{seen}"
            )
        )
    return True
