"""Asks endpoints for their health again and again, each at its own interval, spread in time and not too many at once.

What the answers mean is in probe.py. Never decides who is in. On the control loop's thread.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable

import structlog

from haystack.health import probe as rules
from haystack.health.http_check import ask
from haystack.health.probe import Probe, State

AT_ONCE = 128  # probes in flight
GAP = 0.002  # seconds at least between two that begin: the loop has DNS to answer
JITTER = 0.1  # of an interval: those that start together drift apart

Ask = Callable[..., Awaitable[tuple[int, str]]]  # address, port, request, timeout; sealer, where it is within TLS
_log = structlog.get_logger()


class Probed:
    """One endpoint that is probed."""

    __slots__ = ("ask", "identity", "probe", "request", "state", "task", "timer")

    def __init__(self, identity: str, probe: Probe, state: State, ask: Ask) -> None:
        self.identity = identity
        self.ask = ask
        self.probe = probe
        self.request = probe.request()
        self.state = state
        self.timer: asyncio.TimerHandle | None = None
        self.task: asyncio.Task[None] | None = None


class Prober:
    """Endpoints by id. changed: called whenever one's verdict changes; asker: how to ask; clock: seconds that only grow; most: at once."""

    def __init__(
        self, changed: Callable[[], None], asker: Ask = ask, clock: Callable[[], float] = time.monotonic, most: int = AT_ONCE
    ) -> None:
        self._changed = changed
        self.changed: set[str] = set()  # whose verdict is another one, for who asks and clears it
        self._ask = asker
        self._clock = clock
        self._known: dict[str, Probed] = {}
        self._room = asyncio.Semaphore(most)
        self._free = 0.0  # of the loop's clock: when the next probe may begin

    def add(self, identity: str, probe: Probe, *, running: bool, asker: Ask | None = None) -> None:
        """Probe an endpoint like this from now on; one that is probed already keeps what it has shown.

        running: it was there before us, and is well until it shows otherwise; asker: how to ask this one.
        """
        state = self.state(identity) or State(up=True if running else None, since=self._clock())
        self.drop(identity)
        probed = self._known[identity] = Probed(identity, probe, state, asker or self._ask)
        self._later(probed, random.random() * probe.interval if running else 0.0)

    def drop(self, identity: str) -> None:
        """Probe it no more."""
        probed = self._known.pop(identity, None)
        if probed is None:
            return
        if probed.timer is not None:
            probed.timer.cancel()
        if probed.task is not None:
            probed.task.cancel()

    def probe(self, identity: str) -> Probe | None:
        """How an endpoint is probed; None: not at all."""
        probed = self._known.get(identity)
        return probed.probe if probed is not None else None

    def state(self, identity: str) -> State | None:
        """What its probe has shown; None: it has none."""
        probed = self._known.get(identity)
        return probed.state if probed is not None else None

    def verdict(self, identity: str) -> tuple[str, str]:
        """(what it is waited for, why it is down), each empty where there is nothing to say."""
        probed = self._known.get(identity)
        if probed is None or probed.state.up:
            return "", ""
        if probed.state.up is None:
            return f"no successful check of {probed.probe.path}", ""
        return "", f"probe: {probed.state.why}"

    def _later(self, probed: Probed, seconds: float) -> None:
        probed.timer = asyncio.get_running_loop().call_later(seconds, self._start, probed)

    def _start(self, probed: Probed) -> None:
        """Its time has come; where many others' has too, it has its turn behind them."""
        loop = asyncio.get_running_loop()
        turn, now = max(self._free, loop.time()), loop.time()
        self._free = turn + GAP
        if turn > now:
            probed.timer = loop.call_at(turn, self._begin, probed)
        else:
            self._begin(probed)

    def _begin(self, probed: Probed) -> None:
        probed.timer = None
        probed.task = asyncio.create_task(self._look(probed))

    async def _look(self, probed: Probed) -> None:
        probe = probed.probe
        async with self._room:
            status, trouble = await probed.ask(probe.address, probe.port, probed.request, probe.timeout)
        probed.task = None
        before, now = probed.state, self._clock()
        probed.state = rules.heard(before, probe, status, trouble, now)
        self._later(probed, rules.pause(probed.state, probe, now) * random.uniform(1 - JITTER, 1 + JITTER))
        if (before.up, before.why) != (probed.state.up, probed.state.why):
            _log.info("endpoint.probed", endpoint=probed.identity, up=probed.state.up, told=probed.state.told)
            self.changed.add(probed.identity)
            self._changed()
