"""One question and the nameservers that may answer it: sent as its Plan says, until the first good answer, or until none is left.

Never does: keep an answer, know a client. Between asking.py and exchange.py.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import NamedTuple

import structlog

from haystack.dns import wire
from haystack.dns.forward.exchange import Exchange, FailedError, Means
from haystack.dns.forward.nameservers import Nameserver
from haystack.dns.forward.plan import Plan
from haystack.dns.forward.rewriting import Own
from haystack.dns.forward.standing import Failure, Standing

log = structlog.get_logger()


class Outcome(NamedTuple):
    """The first good answer, and whose it is; else None, and the last server that said anything at all."""

    own: Own | None = None
    server: Nameserver | None = None


class Race:
    """One question. until: when it is given up, by the loop's clock."""

    def __init__(self, query: wire.Query, standings: Sequence[Standing], until: float, means: Means) -> None:
        self._loop = asyncio.get_running_loop()
        self._query = query
        self._until = until
        self._means = means
        self._plan = Plan(standings, self._loop.time(), until, means.times)
        self._running: dict[asyncio.Task[Own], Exchange] = {}
        self._extra = 0
        self._worse = Outcome()

    async def run(self) -> Outcome:
        """The first good answer; else none, when all have failed or the time is over."""
        try:
            while not self._plan.over and (now := self._loop.time()) < self._until:
                self._send(now)
                wait = max(0.0, min(self._plan.wake(), self._until) - now)
                done, _ = await asyncio.wait(self._running, timeout=wait, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    if (outcome := self._finished(task)).own:
                        return outcome
            return self._worse
        finally:
            self._stop()

    def _send(self, now: float) -> None:
        running = {exchange.standing: exchange for exchange in self._running.values()}
        for standing in self._plan.due(now):
            if standing in running:
                running[standing].resend()
            elif not self._running or self._means.spare.take():
                self._extra += bool(self._running)
                self._plan.asked(standing)
                exchange = Exchange(standing, self._query, self._means)
                self._running[self._loop.create_task(exchange.run())] = exchange

    def _finished(self, task: asyncio.Task[Own]) -> Outcome:
        exchange = self._running.pop(task)
        if self._extra:
            self._extra -= 1
            self._means.spare.give()
        server = exchange.standing.server
        try:
            return Outcome(task.result(), server)
        except FailedError as error:
            log.debug("nameserver.failed", server=server.address, port=server.port, error=error.failure.value)
            if error.reply is not None:
                self._worse = Outcome(None, server)
        self._plan.failed(exchange.standing)
        return self._worse

    def _stop(self) -> None:
        """Whoever has not answered yet is not listened to any more; the silent ones are known as such."""
        now = self._loop.time()
        for task, exchange in self._running.items():
            give_up(exchange, now)
            task.cancel()
        for _ in range(self._extra):
            self._means.spare.give()
        self._extra = 0


def give_up(exchange: Exchange, now: float) -> None:
    """It has not answered by now."""
    if exchange.unanswered:
        server = exchange.standing.server
        log.debug("nameserver.failed", server=server.address, port=server.port, error=Failure.TIMEOUT.value)
        exchange.standing.failed(Failure.TIMEOUT, now)
        exchange.standing.silent(exchange.begun, exchange.datagrams, now)


async def probe(standing: Standing, query: wire.Query, means: Means) -> None:
    """Ask a nameserver that is skipped, beside another one that answers: whatever it says, it is back. Never raises."""
    loop = asyncio.get_running_loop()
    if not means.spare.take():
        return
    exchange = Exchange(standing, query, means)
    again = loop.call_later(means.times.resend[0], exchange.resend)
    try:
        async with asyncio.timeout(means.times.probe):
            await exchange.run()
    except (FailedError, TimeoutError):
        pass
    finally:
        again.cancel()
        means.spare.give()
    standing.missed(loop.time())
