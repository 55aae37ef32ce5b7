"""A question to the zone by a person: the answer as lines.

Never does: forward, know a transport. Between the shell and the zone's responder.
"""

from __future__ import annotations

import dnslib

from haystack._fast.dns.responder import Responder
from haystack.dns import wire
from haystack.dns.zone_feed import octets


class Lookup:
    """responder: of the newest zone."""

    def __init__(self, responder: Responder) -> None:
        self._responder = responder

    def lookup(self, name: str, qtype: str, local: str) -> list[str]:
        """The answer as lines: first the status, then a record a line. local: our address as the asker reaches it. Never raises."""
        number = _type_number(qtype)
        if number is None:
            return [f";; no such record type: {qtype}"]
        try:
            key = wire.name(name)
        except ValueError as error:
            return [f";; {error}"]
        reply = self._responder.ask(wire.question(key, number), local_octets(local), tcp=True)
        if reply is None:
            return [";; not in the zone: forwarded to the nameservers"]
        return _lines(dnslib.DNSRecord.parse(reply))


def local_octets(text: str) -> bytes:
    """The octets of an address; none where it is no address."""
    text = text.partition("%")[0].removeprefix("::ffff:")
    try:
        found = octets(text)
    except OSError:
        return b""
    return found if any(found) else b""


def _type_number(text: str) -> int | None:
    """``A`` is 1, and so is ``TYPE1`` (RFC 3597 section 5); None for what is no type."""
    try:
        number = int(getattr(dnslib.QTYPE, text.upper()))
    except (dnslib.DNSError, ValueError):
        return None
    return number if 0 <= number <= wire.LARGEST_TYPE else None


def _lines(message: dnslib.DNSRecord) -> list[str]:
    status = dnslib.RCODE.get(message.header.rcode)
    lines = [f";; {status}, {len(message.rr)} answers"]
    for title, section in (("", message.rr), (";; authority", message.auth), (";; additional", message.ar)):
        lines += [title] if title and section else []
        lines += [str(record.toZone()) for record in section]
    return lines
