"""Where file, engine and devreg's own record say different things about trust."""

from __future__ import annotations

from pathlib import Path

from devreg.flavours.flavour import Flavour
from devreg.host.trust_record import TrustRecord
from devreg.model.address import Address
from devreg.model.insecure_entry import has_entry, is_plain
from devreg.model.results import Drift

GONE_FROM_FILE = "was added by devreg and is gone from the file"
NOT_LIVE = "is in the file, and the engine does not go by it"


def drift(flavour: Flavour, state: Path) -> tuple[Drift, ...]:
    """Addresses that are not as devreg left them or not as the file says. Raises ConfigUnusable for a broken file."""
    record = TrustRecord(state)
    added = [each for path in record.paths() for each in record.added(path)]
    listed, live = flavour.files.listed(), flavour.witness.live()
    gone = [Drift(each, GONE_FROM_FILE) for each in added if not flavour.files.lists(Address.parse(each))]
    if live is None:
        return tuple(gone)
    return (*gone, *(Drift(each, NOT_LIVE) for each in listed if is_plain(each) and not has_entry(live, each)))
