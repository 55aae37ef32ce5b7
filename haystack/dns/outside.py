"""What nameservers say of a name, whatever the zone has at it: how others see names that are ours too.

Never does: answer a client. Who asks for certificates looks here first, for an authority sees what the world's DNS says.
"""

from __future__ import annotations

import asyncio
from typing import Protocol

import dnslib

from haystack.dns import wire
from haystack.dns.forward import resolved
from haystack.dns.forward.resolved import Resolved, Source

SECONDS = 10.0
CHAIN = 8  # CNAMEs that are followed
OURSELVES = "127.0.0.1"


class OutsideError(Exception):
    """Nameservers don't say. str() is one line: why."""


class Forwarding(Protocol):
    """What it asks: the DnsService."""

    async def beyond(self, query: wire.Query, client: str) -> Resolved | None:
        """What nameservers say; None: forwarding has not started."""


class Outside:
    """Questions to nameservers, as a client of theirs would put them."""

    def __init__(self, dns: Forwarding) -> None:
        self._dns = dns

    async def addresses(self, name: str) -> tuple[str, ...]:
        """All that the name has, of both families; none: it does not exist, or has none. Raises OutsideError."""
        found = await asyncio.gather(self._asked(name, wire.A), self._asked(name, wire.AAAA))
        kinds = ("A", "AAAA")
        return tuple(
            str(record.rdata)
            for answer, kind in zip(found, kinds, strict=True)
            for record in answer.rr
            if dnslib.QTYPE[record.rtype] == kind
        )

    async def leads_to(self, name: str) -> str:
        """Where CNAMEs at the name end, lower case, without trailing dot; the name itself where there are none. Raises OutsideError."""
        answer = await self._asked(name, wire.CNAME)
        aliases = {_plain(record.rname): _plain(record.rdata.label) for record in answer.rr if record.rtype == wire.CNAME}
        found = name.lower().rstrip(".")
        for _ in range(CHAIN):
            if found not in aliases:
                break
            found = aliases[found]
        return found

    async def _asked(self, name: str, qtype: int) -> dnslib.DNSRecord:
        try:
            query = wire.parse(wire.question(wire.name(name), qtype))
            async with asyncio.timeout(SECONDS):
                found = await self._dns.beyond(query, OURSELVES)
        except TimeoutError:
            found = resolved.NO_ANSWER
        except ValueError as error:
            raise OutsideError(str(error)) from None
        if found is None:
            raise OutsideError("forwarding has not started yet")
        if found.source in (Source.FAILURE, Source.REFUSED):
            raise OutsideError(resolved.reason(found))
        try:
            return dnslib.DNSRecord.parse(wire.whole(found.packed, query))
        except Exception as error:  # noqa: BLE001 - what others say may be anything, and dnslib raises more than its own
            raise OutsideError(f"the answer can't be read: {error}") from None


def _plain(name: object) -> str:
    return str(name).lower().rstrip(".")
