"""The firewall rules that engines share: each new engine spares the others' and takes its own away when it goes."""

import ipaddress
import shlex
from collections.abc import Iterator
from contextlib import contextmanager

from tests.live.lab.run import need, run

TABLES = ("nat", "filter", "raw")


@contextmanager
def others_kept() -> Iterator[None]:
    """Put back the rules that were there before and are gone after.

    A dockerd empties the chains named DOCKER… when it starts, the rules of an engine beside it included.
    """
    before = _rules()
    yield
    after = _rules()
    # To the front, last one first: the order stays, and a closing RETURN of the chain stays behind them.
    for table, words in reversed(before):
        if (table, words) not in after:
            run("iptables", "-w", "-t", table, "-I", *words, check=False)  # its interface may be gone meanwhile


def forget(interface: str, subnet: str | None = None) -> None:
    """Delete every rule that names the interface, or an address in its subnet: engines leave theirs behind."""
    for table, words in _rules():
        if interface in words or (subnet and any(_within(word, subnet) for word in words)):
            run("iptables", "-w", "-t", table, "-D", *words, check=False)


def _within(word: str, subnet: str) -> bool:
    try:
        return ipaddress.IPv4Network(word).subnet_of(ipaddress.IPv4Network(subnet))
    except ValueError:  # not an address
        return False


def _rules() -> list[tuple[str, list[str]]]:
    """Return all rules in order as their table and words: the chain, then what `iptables -A` takes after it."""
    need("iptables", "iptables")
    rules = []
    for table in TABLES:
        lines = run("iptables", "-w", "-t", table, "-S", check=False).stdout.splitlines()
        rules += [(table, shlex.split(line)[1:]) for line in lines if line.startswith("-A ")]
    return rules
