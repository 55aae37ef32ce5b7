"""What a worker keeps of other nameservers' answers: within its bound, those first to go that were not asked for longest."""

from __future__ import annotations

import pytest

from haystack._fast.dns import testing
from haystack._fast.dns.cache import Cache
from haystack._fast.dns.pending import Pending
from haystack._fast.dns.responder import Responder
from haystack._fast.dns.rotation import Rotation
from haystack._fast.dns.zone import Zone
from haystack._fast.net.poller import Poller
from haystack.dns import wire
from haystack.proxy.worker_dns import CACHE
from tests.fuzz.rig import HandLoop

LARGE = 63 << 10  # an answer of nearly as many octets as a message may have
OVERHEAD = 600  # of an entry, its key and its places, at most


class Worker:
    """A worker's cache of so many octets, and a control process that says what it is told to."""

    def __init__(self, most):
        self.rows, self.loop = [], HandLoop()
        self.cache = Cache(most)
        self.poller = Poller(self.loop, lambda _error: None)
        self.responder = Responder(Zone(wire.name("haystack"), 5), self.cache, Rotation())
        self.pending = Pending(self.poller, self.responder, self.rows.extend, 64)

    def forwarded(self, number, size=LARGE, lifetime=60):
        """The length of the answer that a client gets whose question is forwarded; the answer has so many octets."""
        replies = []
        assert testing.ask(self.pending, question(number), replies)
        while self.loop.turn():
            pass
        self.pending.told(self.rows.pop()[0], wire.RA, bytes(size), size.to_bytes(2, "little"), b"", (1, 0, 0), b"", lifetime)
        [(_, reply)] = replies
        return len(reply)

    def has(self, number):
        return self.responder.ask(question(number), tcp=True) is not None


def question(number):
    return wire.question(wire.name(f"{number}.example"), wire.A)


@pytest.fixture
def worker():
    made = []

    def worker(most=CACHE):
        made.append(Worker(most))
        return made[-1]

    yield worker
    for each in made:
        each.poller.stop()


def test_three_hundred_long_answers_stay_within_the_bound(worker):
    """In the control process they took 23 MiB once, for the bound was a number of answers."""
    one = worker()
    for number in range(300):
        one.forwarded(number)
        assert one.cache.size <= CACHE
    kept = [number for number in range(300) if one.has(number)]
    assert kept == list(range(300 - len(kept), 300))
    assert CACHE // (LARGE + OVERHEAD) <= len(kept) == len(one.cache) <= CACHE // LARGE
    assert one.cache.size >= len(kept) * LARGE


def test_what_was_asked_for_lately_stays(worker):
    one = worker(4 * (1000 + OVERHEAD))
    for number in range(50):
        one.forwarded(number, 1000)
        assert one.has(0)
    assert not one.has(1)


def test_what_takes_more_than_a_quarter_is_given_and_not_kept(worker):
    one = worker(4 * (1000 + OVERHEAD))
    one.forwarded(1, 1000)
    assert one.forwarded(2, 3000) > wire.HEADER
    assert (one.has(1), one.has(2)) == (True, False)


def test_what_is_forgotten_takes_nothing(worker):
    one = worker()
    for number in range(10):
        one.forwarded(number, 1000)
    one.pending.forget()
    assert (len(one.cache), one.cache.size) == (0, 0)
    one.forwarded(1, 1000)
    assert one.has(1)
