"""Numbers of DNS as words: types and response codes."""

from __future__ import annotations

import dnslib

from haystack.dns import wire


def rcode(number: int) -> str:
    """A response code (RFC 6895 section 2.3). BADVERS stands for those above, too: workers count them together."""
    return "BADVERS" if number >= wire.BADVERS else str(dnslib.RCODE.forward.get(number, f"RCODE{number}"))


def qtype(number: int) -> str:
    """A type: ``A``, or ``TYPE1234`` where it has no name here (RFC 3597 section 5)."""
    return str(dnslib.QTYPE.forward.get(number, f"TYPE{number}"))


def type_number(text: str) -> int | None:
    """``A`` is 1, and so is ``TYPE1``; None for what is no type."""
    try:
        number = int(getattr(dnslib.QTYPE, text.upper()))
    except (dnslib.DNSError, ValueError):
        return None
    return number if 0 <= number <= wire.LARGEST_TYPE else None
