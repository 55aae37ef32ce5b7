"""Forwarding of what is not ours, and the cache of what came back.

Never does: answer for the zone, block: each question waits in a task of its own. Between the server and the world's
nameservers.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import NamedTuple

import structlog

from haystack.dns import exchange, wire
from haystack.dns.responder import Forward
from haystack.dns.upstreams import Nameserver

log = structlog.get_logger()

TIMEOUT = 2.0
WAITING = 1000
CACHED = 10_000
LONGEST = 3600

# RFC 8914 sections 4.23 and 4.24: No Reachable Authority (22), Network Error (23).
_NO_SERVER = b"\0\x0f\0\x02\0\x16"
_NO_ANSWER = b"\0\x0f\0\x02\0\x17"
_SERVFAIL = wire.Packed(wire.RA | wire.SERVFAIL)
_REFUSED = wire.Packed(wire.RA | wire.REFUSED)

Key = tuple[bytes, int, bool, int]


class _Kept(NamedTuple):
    packed: wire.Packed
    since: float
    lifetime: int


class Forwarder:
    """Asks nameservers in order, each once; keeps answers as long as they say, an hour at most.

    clock: seconds, monotonic; most: questions that wait at once.
    """

    def __init__(
        self,
        servers: tuple[Nameserver, ...] = (),
        *,
        timeout: float = TIMEOUT,
        clock: Callable[[], float] = time.monotonic,
        most: int = WAITING,
    ) -> None:
        self.servers = servers
        self._timeout = timeout
        self._most = most
        self._clock = clock
        self._cache: OrderedDict[Key, _Kept] = OrderedDict()
        self._asking: dict[Key, asyncio.Task[wire.Packed | None]] = {}
        self._sent: set[bytes] = set()
        self._waiting = 0

    def cached(self, forward: Forward) -> bytes | None:
        """The answer at once, where it is kept still: its TTLs less by its age (RFC 1035 section 7.4)."""
        key = _key(forward.query)
        kept = self._cache.get(key)
        if kept is None:
            return None
        age = int(self._clock() - kept.since)
        if age >= kept.lifetime:
            del self._cache[key]
            return None
        self._cache.move_to_end(key)
        return wire.render(kept.packed, forward.query, forward.tcp, age=age)

    async def resolve(self, forward: Forward) -> bytes:
        """The answer, from the cache or from a nameserver; SERVFAIL where none answers. Never raises."""
        query, tcp = forward
        if reply := self.cached(forward):
            return reply
        if query.id + query.question.lower() in self._sent:
            # Our own question has come back to us: a nameserver of ours asks us. To wait for ourselves would be in vain.
            log.warning("dns.loop_found", name=".".join(p.decode(errors="replace") for p in wire.labels(query.key)))
            return wire.render(_REFUSED, query, tcp)
        if not self.servers:
            return wire.render(_SERVFAIL, query, tcp, options=_NO_SERVER)
        if self._waiting >= self._most:
            return wire.render(_SERVFAIL, query, tcp)
        packed = await self._shared(query)
        return wire.render(packed or _SERVFAIL, query, tcp, options=b"" if packed else _NO_ANSWER)

    async def _shared(self, query: wire.Query) -> wire.Packed | None:
        """Whoever asks what is being asked already waits for the same answer."""
        key = _key(query)
        task = self._asking.get(key)
        if task is None:
            task = self._asking[key] = asyncio.create_task(self._ask(key, query))
            task.add_done_callback(lambda _: self._asking.pop(key, None))
        self._waiting += 1
        try:
            return await asyncio.shield(task)
        finally:
            self._waiting -= 1

    async def _ask(self, key: Key, query: wire.Query) -> wire.Packed | None:
        """One server after the other. A server's own failure is passed on only where no other does better."""
        worse = None
        for server in self.servers:
            found = await self._ask_one(server, query)
            if found and found[0].flags & 0x000F in (wire.FORMERR, wire.NOTIMP):
                # RFC 6891 section 7: perhaps it is EDNS that it does not know.
                found = await self._ask_one(server, query, edns=False)
            if found is None:
                self._put_last(server)
                continue
            packed, lifetime = found
            if packed.flags & 0x000F in (wire.NOERROR, wire.NXDOMAIN):
                self._keep(key, packed, lifetime)
                return packed
            worse = packed
        return worse

    async def _ask_one(self, server: Nameserver, query: wire.Query, *, edns: bool = True) -> tuple[wire.Packed, int] | None:
        asked = exchange.message(query, edns=edns)
        mark = asked[:2] + query.question.lower()
        self._sent.add(mark)
        try:
            return exchange.packed(await exchange.ask(server, asked, self._timeout), query.question)
        except (OSError, wire.FormatError, exchange.BadReplyError, asyncio.CancelledError) as error:
            if isinstance(error, asyncio.CancelledError) and (task := asyncio.current_task()) and task.cancelling():
                raise
            log.debug("nameserver.failed", server=server.address, port=server.port, error=repr(error))
            return None
        finally:
            self._sent.discard(mark)

    def _put_last(self, server: Nameserver) -> None:
        """The next question goes to another one first."""
        self.servers = (*(other for other in self.servers if other != server), server)

    def _keep(self, key: Key, packed: wire.Packed, lifetime: int) -> None:
        if lifetime <= 0:
            return
        self._cache[key] = _Kept(packed, self._clock(), min(lifetime, LONGEST))
        if len(self._cache) > CACHED:
            self._cache.popitem(last=False)

    async def close(self) -> None:
        """Stop asking; who waits is left without an answer."""
        tasks = list(self._asking.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def _key(query: wire.Query) -> Key:
    """DO and CD change what a nameserver answers."""
    return query.key, query.qtype, query.do, query.flags & wire.CD
