"""One question asked of one nameserver, over UDP and where it says so over TCP.

Never does: choose the server, keep the answer. The Forwarder calls it. A fresh socket, so a fresh source port, and a
random id for each question: RFC 5452 section 9.
"""

from __future__ import annotations

import asyncio
import secrets
import struct
from typing import cast

from haystack.dns import wire
from haystack.dns.upstreams import Nameserver

# RFC 1035 section 3.3.13: two names, of one octet at least, and five numbers.
_SHORTEST_SOA = 22


class BadReplyError(Exception):
    """The nameserver's reply makes no sense."""


class _Asker(asyncio.DatagramProtocol):
    """Waits for the one datagram that answers; anything else on the socket is not looked at."""

    def __init__(self, message: bytes) -> None:
        self.message = message
        self.reply: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast("asyncio.DatagramTransport", transport).sendto(self.message)

    def datagram_received(self, data: bytes, addr: object) -> None:  # noqa: ARG002 - the socket is connected
        if answers(self.message, data) and not self.reply.done():
            self.reply.set_result(data)

    def error_received(self, exc: Exception) -> None:
        if not self.reply.done():
            self.reply.set_exception(exc)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self.reply.cancel()


def message(query: wire.Query, *, edns: bool = True) -> bytes:
    """The question as it goes to a nameserver: our own id and EDNS, the asker's DO and CD."""
    flags = wire.RD | query.flags & wire.CD
    header = struct.pack("!5H", flags, 1, 0, 0, edns)
    return secrets.token_bytes(2) + header + query.question + (wire.opt_record(query.do) if edns else b"")


def answers(asked: bytes, reply: bytes) -> bool:
    """True when this is a response to that question: id, QR and the question itself (RFC 5452 section 9.1)."""
    end = len(asked) - (len(wire.opt_record(False)) if asked[11] else 0)
    if len(reply) < wire.HEADER or reply[:2] != asked[:2] or not reply[2] & 0x80:
        return False
    if reply[4:6] == b"\0\0":
        # FORMERR and its like may come as a header alone.
        return reply[3] & 0x0F != wire.NOERROR
    return reply[4:6] == b"\0\1" and reply[wire.HEADER : end].lower() == asked[wire.HEADER : end].lower()


async def ask(server: Nameserver, asked: bytes, seconds: float) -> bytes:
    """The reply, whole, after so many seconds a transport at most. Raises OSError (TimeoutError is one) or BadReplyError."""
    async with asyncio.timeout(seconds):
        reply = await _udp(server, asked)
    if reply[2] & wire.TC >> 8:
        try:
            async with asyncio.timeout(seconds):
                return await _tcp(server, asked)
        except (OSError, EOFError, BadReplyError):
            # The part that came, with its TC, is better than nothing.
            return reply
    return reply


async def _udp(server: Nameserver, asked: bytes) -> bytes:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.create_datagram_endpoint(lambda: _Asker(asked), remote_addr=server)
    try:
        return await protocol.reply
    finally:
        transport.close()


async def _tcp(server: Nameserver, asked: bytes) -> bytes:
    reader, writer = await asyncio.open_connection(*server)
    try:
        writer.write(struct.pack("!H", len(asked)) + asked)
        (length,) = struct.unpack("!H", await reader.readexactly(2))
        reply = await reader.readexactly(length)
    finally:
        writer.close()
    if not answers(asked, reply):
        raise BadReplyError("the reply over TCP is to something else")
    return reply


def packed(reply: bytes, question: bytes) -> tuple[wire.Packed, int]:
    """The reply as an answer for any asker of this question, and the seconds it may be kept (0: not at all).

    The nameserver's OPT record was for us alone and is cut off. Raises FormatError.
    """
    flags, count, *counts = struct.unpack_from("!5H", reply, 2)
    start = wire.HEADER + (len(question) if count else 0)
    found = list(wire.records(reply, start, sum(counts)))
    kept = next((i for i, record in enumerate(found) if record.rtype == wire.OPT), len(found))
    counts[2] -= len(found) - kept
    found = found[:kept]
    if counts[2] < 0:
        raise wire.FormatError("an OPT record among the answers")
    if found and not count:
        raise wire.FormatError("records without a question")
    end = found[-1].end if found else start
    answer = wire.Packed(
        flags=flags & (wire.TC | 0x000F) | wire.RA,
        body=reply[start:end],
        ends=tuple(record.end - start for record in found),
        counts=(counts[0], counts[1], counts[2]),
        ttls=tuple(record.ttl_at - start for record in found),
    )
    return answer, _lifetime(reply, flags, found, counts[0])


def _lifetime(reply: bytes, flags: int, found: list[wire.Record], answers: int) -> int:
    """RFC 2308 section 5: an answer lives as its shortest record; a negative one as its SOA says, and without SOA not at all."""
    soas = [record for record in found[answers:] if record.rtype == wire.SOA and record.end - record.data_at >= _SHORTEST_SOA]
    if flags & wire.TC or flags & 0x000F not in (wire.NOERROR, wire.NXDOMAIN) or not (soas or (answers and not flags & 0x000F)):
        return 0
    ttls = [0 if record.ttl >> 31 else record.ttl for record in found]
    ttls += [struct.unpack_from("!I", reply, record.end - 4)[0] for record in soas]
    return min(ttls)
