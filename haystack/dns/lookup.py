"""A question of a person: the answer as lines, and where it comes from.

Never does: know a transport. Between the shell and both the zone's responder and the forwarder.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

import dnslib

from haystack._fast.dns.responder import Responder
from haystack.dns import external_cnames, wire, words
from haystack.dns.forward import resolved
from haystack.dns.forward.figures import Figures
from haystack.dns.forward.resolved import Resolved, Source
from haystack.dns.zone_feed import ZoneFeed, octets

SECONDS = 5.0  # for nameservers


class Dns(Protocol):
    """What it asks: the DnsService."""

    feed: ZoneFeed

    async def find(self, query: wire.Query, client: str) -> Resolved | None:
        """What nameservers say; None: forwarding has not started."""

    def nameservers(self, query: wire.Query) -> list[str]:
        """Who is asked for that name."""

    def figures(self) -> Figures | None:
        """How forwarding stands."""


class Lookup:
    """Answers to the shell. local: our address as the asker reaches it."""

    def __init__(self, dns: Dns) -> None:
        self._dns = dns

    @property
    def _responder(self) -> Responder:
        return self._dns.feed.responder

    def figures(self) -> Figures | None:
        """How forwarding stands."""
        return self._dns.figures()

    def lookup(self, name: str, qtype: str, local: str) -> list[str]:
        """The zone's answer as lines: first the status, then a record a line, and where it is from. Never raises."""
        try:
            found = self._of_zone(_packet(name, qtype), local)
        except ValueError as error:
            return [f";; {error}"]
        return found or [";; not in the zone: forwarded to the nameservers"]

    async def resolve(self, name: str, qtype: str, local: str) -> list[str]:
        """The same of other names too, as a client on this machine is told it, after SECONDS at most."""
        try:
            packet = _packet(name, qtype)
        except ValueError as error:
            return [f";; {error}"]
        return self._of_zone(packet, local) or await self._beyond(wire.parse(packet), local.partition("%")[0])

    def _of_zone(self, packet: bytes, local: str) -> list[str]:
        """The lines; none: it is others' to answer."""
        reply = self._responder.ask(packet, local_octets(local), tcp=True)
        return [] if reply is None else [*_lines(reply), ";; from the zone"]

    async def _beyond(self, query: wire.Query, client: str) -> list[str]:
        try:
            async with asyncio.timeout(SECONDS):
                found = await self._dns.find(query, client)
        except TimeoutError:
            found = resolved.NO_ANSWER
        if found is None:
            return [";; forwarding has not started yet"]
        return [*_lines(wire.whole(found.packed, query)), f";; {self._origin(query, found)}"]

    def _origin(self, query: wire.Query, found: Resolved) -> str:
        """Where an answer comes from, or why there is none."""
        if found.source in (Source.FAILURE, Source.REFUSED):
            why = resolved.reason(found)
            servers = self._dns.nameservers(query)
            return f"failure: {why}" + (f" (nameservers: {', '.join(servers)})" if servers and not found.server else "")
        server = f"nameserver {found.server}" if found.server else "a nameserver"
        told = {
            Source.UPSTREAM: f"from {server}",
            Source.CACHE: f"from the cache, for {found.lifetime} s more: {server} said so",
            Source.STALE: f"stale, from the cache: no nameserver answers now, and {server} said so before",
        }[found.source]
        ours = external_cnames.chain(self._responder, query)
        return told if ours is None else f"from the zone to {wire.text(ours.target)}, then {told}"


def local_octets(text: str) -> bytes:
    """The octets of an address; none where it is no address."""
    text = text.partition("%")[0].removeprefix("::ffff:")
    try:
        found = octets(text)
    except OSError:
        return b""
    return found if any(found) else b""


def _packet(name: str, qtype: str) -> bytes:
    """A query. Raises ValueError where there is no such type, or no such name can be."""
    number = words.type_number(qtype)
    if number is None:
        raise ValueError(f"no such record type: {qtype}")
    if name != "." and not all(name.removesuffix(".").split(".")):
        raise ValueError(f"not a DNS name: a label of {name!r} is empty")
    return wire.question(wire.name(name), number)


def _lines(packet: bytes) -> list[str]:
    try:
        return _sections(dnslib.DNSRecord.parse(packet))
    except Exception as error:  # noqa: BLE001 - what others say may be anything, and dnslib raises more than its own
        return [f";; {words.rcode(packet[3] & 15)}, but it can't be shown: {error}"]


def _sections(message: dnslib.DNSRecord) -> list[str]:
    status = words.rcode(message.header.rcode)
    lines = [f";; {status}, {len(message.rr)} answer{'' if len(message.rr) == 1 else 's'}"]
    for title, section in (("", message.rr), (";; authority", message.auth), (";; additional", message.ar)):
        lines += [title] if title and section else []
        lines += [str(record.toZone()) for record in section]
    return lines
