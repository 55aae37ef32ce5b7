"""The one service of a fuzzed script, as a worker has it: endpoints that come, leave and come back between two requests or within one."""

from __future__ import annotations

import time
from enum import IntFlag

from haystack._fast.balance import pickers
from haystack._fast.endpoint.endpoint import Endpoint, Member, Route
from haystack._fast.exchange import bulk
from haystack._fast.routing.router import Router
from haystack._fast.worker.worker_state import WorkerState
from haystack.model.service_options import ServiceOptions
from tests.fuzz.ends import Places

BALANCES = ("roundrobin", "leastconn", "p2c", "random", "ewma", "hash", "hash:path", "hash:header:x")


class Manner(IntFlag):
    """How the service is from now on. The three bits from PICKER on say by which of BALANCES."""

    LIMITED = 1  # haystack.max_connections of 1
    STICKY = 2
    ENDED = 4  # those that leave are dead or paused: what they have in flight is rescued
    PICKER = 8
    HASTY = 64  # nobody waits for an endpoint
    RETRYING = 128  # what only reads is asked elsewhere after any error from 500 to 504


class Service:
    """Its endpoints are in a fixed order: a mask says which of them are in the table. Until told otherwise, the first two.

    timeout_ms, wait_ms: its labels' as of the next change.
    """

    def __init__(self, places: Places, worker: WorkerState, router: Router) -> None:
        self.worker = worker
        self.router = router
        self.endpoints = [Endpoint(name, address) for name, address in places.addresses.items()]
        self.members = [Member(endpoint, "fuzz", 80) for endpoint in self.endpoints]
        self.timeout_ms = self.wait_ms = 1
        self.route: Route | None = None
        self.change(0b11, Manner.HASTY)

    def change(self, mask: int, manner: int) -> None:
        """A new table, as `proxy.routes` takes it in."""
        inside = [member for number, member in enumerate(self.members) if mask >> number & 1]
        old = self.route
        balance = BALANCES[manner // Manner.PICKER % len(BALANCES)]
        picker = pickers.make(balance, inside, [100] * len(inside), old.picker if old else None)
        options = ServiceOptions(
            balance=balance,
            sticky="s" if manner & Manner.STICKY else None,
            timeout=self.timeout_ms / 1000,
            wait=0.0 if manner & Manner.HASTY else self.wait_ms / 1000,
            retry=tuple(range(500, 505)) if manner & Manner.RETRYING else (),
            upgrade=("any",),
        )
        self.route = Route("fuzz", picker, options, queue=old.queue if old else None)
        if not inside and old and old.members:
            self.route.queue.empty_since = int(time.monotonic() * 1000)
        for member in inside:
            if member.endpoint.limit != (limit := 1 if manner & Manner.LIMITED else 0):
                member.endpoint.hold("fuzz", limit)
        self.route.queue.wake_all()
        self.router.fall_back(self.route)
        self.router.put(b"1", b"/", (self.route,))
        left = {member.endpoint for member in (old.members if old else []) if member not in inside}
        for member in self.members:
            member.endpoint.retire(member not in inside)
        if manner & Manner.ENDED:
            bulk.rescue(self.worker, left)

    def held(self) -> dict[str, list[int]]:
        """What there is of exchanges and idle connections, by endpoint, and of those who wait."""
        return {
            "in flight": [endpoint.in_flight for endpoint in self.endpoints],
            "pooled": [endpoint.pooled for endpoint in self.endpoints],
            "waiting": [len(self.route.queue) if self.route else 0],
        }
