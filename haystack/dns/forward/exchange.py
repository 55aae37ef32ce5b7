"""One question asked of one nameserver: over UDP, over TCP where the answer is cut off, and without what the server does not know.

Never does: choose the server, keep the answer. race.py calls it. A fresh socket, so a fresh source port, and a random id for each question
(RFC 5452 section 9); a datagram that is no answer to it is passed over, and told to nobody.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
from collections.abc import Callable
from typing import NamedTuple

from haystack.dns import wire
from haystack.dns.forward import message
from haystack.dns.forward.message import Reply, Sent, Verdict
from haystack.dns.forward.nameservers import Nameserver
from haystack.dns.forward.rewriting import Own
from haystack.dns.forward.shares import Shares
from haystack.dns.forward.standing import Failure, Standing
from haystack.dns.forward.times import Times
from haystack.net.descriptors import SHORTAGES

LARGEST = 65535
# Datagrams read before the loop may turn to something else.
_BURST = 16
# So many with a wrong id are no accident: somebody guesses. Over TCP there is nothing to guess.
_STRAYS = 50
_FAILURES = {wire.SERVFAIL: Failure.SERVFAIL, wire.REFUSED: Failure.REFUSED}


class FailedError(Exception):
    """The nameserver is of no use for this question. reply: what it said, where it said something."""

    def __init__(self, failure: Failure, reply: Reply | None = None) -> None:
        super().__init__(failure)
        self.failure = failure
        self.reply = reply


class Came(NamedTuple):
    """What came over UDP, and what it is; data empty: too many that were none of ours."""

    verdict: Verdict
    data: bytes


class Datagrams:
    """A socket for one question to one nameserver. Raises OSError where there is none to be had."""

    def __init__(self, server: Nameserver, sent: Sent) -> None:
        self._loop = asyncio.get_running_loop()
        self._sent = sent
        self._strays = 0
        self.count = 0
        self.came: asyncio.Future[Came] = self._loop.create_future()
        self._socket = socket.socket(socket.AF_INET6 if ":" in server.address else socket.AF_INET, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        try:
            self._socket.connect(server)
        except OSError:
            self._socket.close()
            raise
        self._loop.add_reader(self._socket, self._readable)

    def send(self) -> None:
        """Once more. What can't be sent now is lost, as any datagram may be; an error that says that nobody is there ends it."""
        self.count += 1
        try:
            self._socket.send(self._sent.packet)
        except BlockingIOError:
            pass
        except OSError as error:
            self._end(error)

    def _readable(self) -> None:
        for _ in range(_BURST):
            try:
                data = self._socket.recv(LARGEST)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                self._end(error)
                return
            verdict = message.judge(self._sent, data)
            self._strays += verdict is Verdict.IGNORED
            if verdict is not Verdict.IGNORED or self._strays >= _STRAYS:
                self._end(Came(verdict, data))
                return

    def _end(self, result: Came | OSError) -> None:
        self._loop.remove_reader(self._socket)
        if self.came.done():
            return
        if isinstance(result, OSError):
            self.came.set_exception(result)
        else:
            self.came.set_result(result)

    def close(self) -> None:
        """Give the socket back."""
        self._loop.remove_reader(self._socket)
        self._socket.close()
        if self.came.done() and not self.came.cancelled():
            self.came.exception()  # it may be that nobody has waited for it
        self.came.cancel()


class Spare:
    """Sockets beyond the one that each question has: for a second nameserver, and for one that may be back. places: of all clients."""

    def __init__(self, places: Shares, client: str = "") -> None:
        self._places = places
        self._client = client

    def of(self, client: str) -> Spare:
        """The same, for the questions of this client."""
        return Spare(self._places, client)

    def take(self) -> bool:
        """One more; False: there is none, or this client has its share."""
        return self._places.take(self._client)

    def give(self) -> None:
        """Give one back."""
        self._places.give(self._client)


class Means(NamedTuple):
    """What every question needs.

    asked: told where each form of a question is outstanding (+1), and that it is no more (-1); believed: what of a reply counts, raises
    FormatError.
    """

    times: Times
    spare: Spare
    asked: Callable[[Nameserver, Sent, int], None]
    believed: Callable[[Reply, wire.Query], Own]


class Exchange:
    """A question to a nameserver, one socket at a time."""

    def __init__(self, standing: Standing, query: wire.Query, means: Means) -> None:
        self._clock = asyncio.get_running_loop().time
        self.standing = standing
        self.begun = self._clock()
        self.datagrams = 0
        self._query = query
        self._means = means
        self._udp: Datagrams | None = None

    @property
    def unanswered(self) -> bool:
        """Whether all that was sent over UDP is without an answer yet, and that is more than one datagram."""
        return self.datagrams > 1 and self._udp is not None and not self._udp.came.done()

    def resend(self) -> None:
        """The same datagram again: it may have been lost."""
        if self._udp is not None and not self._udp.came.done():
            self._udp.send()
            self.datagrams += 1

    async def run(self) -> Own:
        """NOERROR or NXDOMAIN, whole. Raises FailedError; whoever calls sees to the time over UDP."""
        self.standing.questions += 1
        try:
            return await self._run()
        except FailedError as error:
            self.standing.failed(error.failure, self._clock())
            raise

    async def _run(self) -> Own:
        plain, caseless = self.standing.plain(self.begun), self.standing.caseless(self.begun)
        for _ in range(3):  # as it is, and with one thing less each time
            reply = await self._attempt(message.question(self._query, plain=plain, caseless=caseless), caseless=caseless)
            if reply is None:
                caseless = True  # it is not accepted: whoever forges an answer does not know the case either
                continue
            if reply.rcode in (wire.FORMERR, wire.NOTIMP, wire.BADVERS) and not plain:
                plain = True  # RFC 6891 section 7: perhaps it is EDNS that it does not know
                continue
            if reply.rcode not in message.GOOD:
                raise FailedError(_FAILURES.get(reply.rcode, Failure.ERROR), reply)
            self.standing.learn(self._clock(), plain=plain, caseless=caseless)
            return self._believed(reply)
        raise FailedError(Failure.LYING)

    def _believed(self, reply: Reply) -> Own:
        try:
            return self._means.believed(reply, self._query)
        except wire.FormatError:
            raise FailedError(Failure.GARBLED) from None

    async def _attempt(self, sent: Sent, *, caseless: bool) -> Reply | None:
        """What it says to this form of the question; None: its name came back in another case. Raises FailedError."""
        self._means.asked(self.standing.server, sent, +1)
        try:
            came = await self._over_udp(sent)
            if came.verdict is Verdict.OTHER_CASE and not caseless:
                return None
            return await self._understood(sent, came)
        finally:
            self._means.asked(self.standing.server, sent, -1)

    async def _over_udp(self, sent: Sent) -> Came:
        begun = self._clock()
        try:
            self._udp = udp = Datagrams(self.standing.server, sent)
            with contextlib.closing(udp):
                udp.send()
                self.datagrams += 1
                came = await udp.came
            now = self._clock()
            if came.verdict is not Verdict.IGNORED:
                self.standing.heard(now, now - begun if udp.count == 1 else None)
        except OSError as error:
            raise FailedError(Failure.SHORTAGE if error.errno in SHORTAGES else Failure.UNREACHABLE) from None
        return came

    async def _understood(self, sent: Sent, came: Came) -> Reply:
        """The reply, over TCP where it is cut off, or where strangers answer too."""
        if came.verdict is Verdict.LYING or came.verdict is Verdict.OTHER_CASE:
            raise FailedError(Failure.LYING)
        if came.verdict is Verdict.GARBLED:
            raise FailedError(Failure.GARBLED)
        try:
            if came.verdict is Verdict.ANSWER:
                reply = message.read(came.data, sent.question)
                if not reply.cut:
                    return reply
            return await self._over_tcp(sent)
        except wire.FormatError:
            raise FailedError(Failure.GARBLED) from None

    async def _over_tcp(self, sent: Sent) -> Reply:
        """Raises FailedError, and FormatError for a reply that is none. Never what is cut off."""
        try:
            async with asyncio.timeout(self._means.times.tcp):
                data = await _exchanged(self.standing.server, sent.packet)
        except (OSError, EOFError):
            raise FailedError(Failure.TCP) from None
        if message.judge(sent, data, tcp=True) is not Verdict.ANSWER:
            raise FailedError(Failure.LYING)
        reply = message.read(data, sent.question)
        if reply.cut:
            raise FailedError(Failure.TCP)
        return reply


async def _exchanged(server: Nameserver, packet: bytes) -> bytes:
    """One message there, one back (RFC 7766). Raises OSError or EOFError."""
    reader, writer = await asyncio.open_connection(*server)
    try:
        writer.write(struct.pack("!H", len(packet)) + packet)
        (length,) = struct.unpack("!H", await reader.readexactly(2))
        return await reader.readexactly(length)
    finally:
        writer.close()
