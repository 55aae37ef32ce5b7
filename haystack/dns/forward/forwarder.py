"""Forwarding of what is not ours: from the cache, else from a nameserver, once for all who ask.

Never does: answer for the zone, block, raise. Between the server and the world's nameservers: cache.py keeps, asking.py joins and limits,
routes.py and standing.py choose, race.py asks.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import NamedTuple

import structlog

from haystack.dns import wire
from haystack.dns.forward import cache, figures, message, race, resolved
from haystack.dns.forward.asking import Asking, Question
from haystack.dns.forward.cache import Answer, Cache, Entry, Key
from haystack.dns.forward.exchange import Means, Spare
from haystack.dns.forward.failures import Failures
from haystack.dns.forward.loops import Loops
from haystack.dns.forward.nameservers import text
from haystack.dns.forward.outage import Outages
from haystack.dns.forward.own_names import Nobody, OwnNames, completed
from haystack.dns.forward.resolved import STALE_TTL, Resolved, Source
from haystack.dns.forward.rewriting import Own, own
from haystack.dns.forward.routes import Routes
from haystack.dns.forward.shares import Shares, client_of
from haystack.dns.forward.standing import Standing, Standings, order
from haystack.dns.forward.times import TIMES, Times

log = structlog.get_logger()

SOCKETS = 1000
_SPARE = 4  # the part of all sockets that is for second nameservers


class Counts:
    """What has happened so far."""

    def __init__(self) -> None:
        self.hits = self.misses = self.stale = self.prefetches = self.refused = 0


class Limits(NamedTuple):
    """sockets: to nameservers at once; memory: bytes of the cache; questions: outstanding at once; waiters: who wait for them."""

    sockets: int = SOCKETS
    memory: int = cache.BYTES
    questions: int = 4096
    waiters: int = 20_000


class Forwarder:
    """routes: which nameservers a name is asked of; names: what is ours; clock: seconds, monotonic, by which answers age.

    forgotten: called when all kept answers are of no use any more.
    """

    def __init__(
        self,
        routes: Routes,
        names: OwnNames | None = None,
        *,
        limits: Limits = Limits(),  # noqa: B008 - immutable
        times: Times = TIMES,
        clock: Callable[[], float] = time.monotonic,
        forgotten: Callable[[], None] = lambda: None,
    ) -> None:
        self.routes = routes
        self._names = names or Nobody()
        self._times = times
        self._clock = clock
        self._forgotten = forgotten
        self._cache = Cache(limits.memory)
        self._default = routes.default
        self._failures: Failures[Key, Resolved] = Failures()
        self._standings = Standings(times)
        self._loops = Loops()
        self._outages = Outages()
        spare = max(1, limits.sockets // _SPARE)
        self._means = Means(times, Spare(Shares(spare)), self._loops.note, self._believed)
        self._asking: Asking[Key, Resolved] = Asking(
            self._ask,
            resolved.BUSY,
            places=max(1, limits.sockets - spare),
            limit=times.limit,
            questions=limits.questions,
            waiters=limits.waiters,
        )
        self._beside: set[asyncio.Task[None]] = set()
        self._counts = Counts()

    def cached(self, query: wire.Query) -> Resolved | None:
        """The answer at once, where it is kept still. None: resolve has it, or finds it."""
        self._follow()
        now, key = self._clock(), cache.key_of(query)
        entry = self._cache.entry(key, now)
        if entry is None or now >= entry.expires:
            above = self._cache.denied_above(key, self.routes.domain(query.key), now)
            self._counts.hits += above is not None
            return resolved.given(above, Source.CACHE) if above else None
        if entry.leads:
            return None  # our own part depends on who asks
        return self._hit(entry, query, now)

    def _follow(self) -> None:
        """Other nameservers may say something else, in another network say: then what the old ones said is forgotten."""
        servers = self.routes.default
        if servers != self._default:
            self._default = servers
            self._cache.clear()
            self._forgotten()

    def _hit(self, entry: Entry, query: wire.Query, now: float) -> Resolved:
        self._counts.hits += 1
        entry.used += 1
        if entry.is_due(now):
            entry.used = 0
            self._refresh(query, "")
        return resolved.given(entry.answer(now), Source.CACHE)

    async def resolve(self, query: wire.Query, client: str, *, hot: bool = False) -> Resolved:
        """The answer, from the cache or from a nameserver; SERVFAIL where none answers. Never raises.

        client: the address of who asks; hot: the answer is asked for often and about to expire, so a nameserver is asked before its time.
        """
        try:
            return completed(await self._resolve(query, client_of(client), hot), query, client, self._names)
        except Exception:
            log.exception("dns.forwarding_failed", query=query.question.hex())
            return resolved.BUSY

    async def _resolve(self, query: wire.Query, client: str, hot: bool) -> Resolved:
        self._follow()
        now, key = self._clock(), cache.key_of(query)
        entry = self._cache.entry(key, now)
        fresh = entry if entry is not None and now < entry.expires else None
        if fresh is not None and not (hot and fresh.is_old(now)):
            return self._hit(fresh, query, now)
        if fresh is None and (found := self.cached(query)):
            return found
        if ours := self._loops.found(query, client):
            self._loops.tell(ours, client)
            return resolved.LOOP
        found = await self._asked(key, query, client, entry)
        if found.source is Source.FAILURE and fresh is not None:
            return resolved.given(fresh.answer(self._clock()), Source.CACHE)
        return found

    async def _asked(self, key: Key, query: wire.Query, client: str, entry: Entry | None) -> Resolved:
        """What a nameserver says, once it has been asked; or what a moment ago one has said, or not."""
        now = self._clock()
        self._counts.misses += 1
        if failure := self._failures.within(key, self._times.failure, now):
            return self._instead(failure, entry)
        if entry is not None and now >= entry.expires and self._failures.within(key, self._times.recheck, now):
            self._refresh(query, client)
            return self._stale(entry)
        if not self.routes.of(query.key):
            return self._instead(resolved.NO_SERVER, entry)
        found = await self._joined(key, query, client, entry)
        return self._instead(found, entry) if found is resolved.BUSY else found

    async def _joined(self, key: Key, query: wire.Query, client: str, entry: Entry | None) -> Resolved:
        """What all get who wait for this question; over its share, a client does not wait."""
        question = self._asking.join(key, query, client)
        if question is not None and entry is not None and question.patience is None:
            loop = asyncio.get_running_loop()
            question.patience = loop.call_later(self._times.patience, self._lose_patience, question, entry)
        suspect = self._loops.may_be_one(query, client)
        found = question and await self._asking.wait(question, client)
        if suspect and found is resolved.NO_ANSWER:
            self._suspect(query, client)
        self._counts.refused += found is None
        return found or resolved.BUSY

    def _suspect(self, query: wire.Query, client: str) -> None:
        """Find out whether a nameserver that has asked what it was asked itself forwards to us."""
        if marked := self._loops.marked(query, asyncio.get_running_loop().time()):
            for each in self._standings.of(self.routes.of(query.key)):
                if client_of(each.server.address) == client:
                    self._later(each, marked)

    def _instead(self, failure: Resolved, entry: Entry | None) -> Resolved:
        """A stale answer, where there is one, in the place of a failure (RFC 8767)."""
        return failure if entry is None or self._clock() < entry.expires else self._stale(entry)

    def _stale(self, entry: Entry) -> Resolved:
        self._counts.stale += 1
        return resolved.stale(entry.stale(STALE_TTL))

    def _refresh(self, query: wire.Query, client: str) -> None:
        """Ask, and let nobody wait for it."""
        key = cache.key_of(query)
        if not self._failures.within(key, self._times.failure, self._clock()) and self.routes.of(query.key):
            self._counts.prefetches += self._asking.join(key, query, client) is not None

    async def _ask(self, question: Question[Key, Resolved]) -> None:
        """Ask the nameservers, keep what they say, and settle the question."""
        entry = self._cache.entry(question.key, self._clock())
        try:
            question.settle(await self._settled(question, entry))
        except Exception:
            log.exception("dns.forwarding_failed", query=question.query.question.hex())

    def _lose_patience(self, question: Question[Key, Resolved], entry: Entry) -> None:
        if self._clock() >= entry.expires:
            question.settle(self._stale(entry))

    async def _settled(self, question: Question[Key, Resolved], entry: Entry | None) -> Resolved:
        query, now = question.query, asyncio.get_running_loop().time()
        asked, probed = order(self._standings.of(self.routes.of(query.key)), now)
        if probed is not None:
            self._later(probed, query)
        means = self._means._replace(spare=self._means.spare.of(question.turn))
        found, server = await race.Race(query, asked, question.until, means).run()
        self._outages.look(self._standings.of(self.routes.of(query.key)))
        if found is None:
            failure = resolved.NO_ANSWER if server is None else resolved.BAD_ANSWER._replace(server=text(server))
            self._failures.note(question.key, failure, self._clock())
            return self._instead(failure, entry)
        self._failures.clear(question.key)
        packed, lifetime = message.packed(found.reply)
        answer = Answer(packed, min(lifetime, cache.LONGEST), found.leads, text(server) if server else "")
        self._cache.keep(question.key, answer, self._clock())
        return resolved.given(answer, Source.UPSTREAM)

    def _later(self, probed: Standing, query: wire.Query) -> None:
        task = asyncio.get_running_loop().create_task(race.probe(probed, query, self._means))
        self._beside.add(task)
        task.add_done_callback(self._beside.discard)

    def _believed(self, reply: message.Reply, query: wire.Query) -> Own:
        return own(reply, query.key, query.qtype, self._names.holds)

    def figures(self) -> figures.Figures:
        """What it has done so far, and how its nameservers are."""
        now, counts = asyncio.get_running_loop().time(), self._counts
        kept = figures.CacheFigures(len(self._cache), self._cache.bytes, counts.hits, counts.misses, counts.stale, counts.prefetches)
        servers = tuple(figures.of(each, now) for each in self._standings.of(self.routes.all()))
        return figures.Figures(servers, kept, self._asking.outstanding, self._asking.asked, counts.refused)

    async def close(self) -> None:
        """Stop asking; who waits is left without an answer."""
        await self._asking.close()
        for task in self._beside:
            task.cancel()
        await asyncio.gather(*self._beside, return_exceptions=True)
        self._loops.close()
