"""What a certificate is: a chain with its key, and the names that it is for. certificates.py reads one. Keys stand in no repr."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

WILDCARD = "*."


@dataclass(frozen=True, slots=True)
class Certificate:
    """A chain, leaf first, and the leaf's private key, both PEM. Times are Unix seconds.

    names: host names in lower case (`*.` allowed as the first label), and IP addresses as ipaddress writes them.
    kind: of the key, as `ECDSA P-256`; issuer: its common name; serial and fingerprint (SHA-256 of the leaf): hex digits.
    """

    chain: bytes = field(repr=False)
    key: bytes = field(repr=False)
    names: tuple[str, ...]
    kind: str
    subject: str
    issuer: str
    not_before: float
    not_after: float
    serial: str
    fingerprint: str

    def covers(self, name: str) -> bool:
        """Whether a host name in lower case is one of its names (RFC 9525, section 6.3), or an IP address is."""
        return name in self.names or (wildcard(name) in self.names and "." in name)

    def is_valid(self, now: float | None = None) -> bool:
        """Whether it is neither too early nor too late for it."""
        return self.not_before <= (time.time() if now is None else now) < self.not_after

    def flaw(self, now: float | None = None) -> str:
        """What is wrong with its time, in one line; empty: nothing."""
        seconds = time.time() if now is None else now
        if seconds < self.not_before:
            return f"it is not valid before {day(self.not_before)}"
        return f"it expired on {day(self.not_after)}" if seconds >= self.not_after else ""


def wildcard(name: str) -> str:
    """The wildcard that a name falls under: its first label replaced."""
    return WILDCARD + name.partition(".")[2]


def day(seconds: float) -> str:
    """A time for a person."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))
