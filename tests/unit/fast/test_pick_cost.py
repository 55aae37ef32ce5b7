"""What a pick costs does not grow with the number of endpoints, or hardly; nor does it leave anything behind."""

from __future__ import annotations

import sys
import time
import tracemalloc

import pytest

from haystack._fast.balance.pickers import PICKERS
from haystack._fast.endpoint.endpoint import Route
from haystack._fast.testing import choose, picks_ns, recall
from haystack.model.service_options import ServiceOptions
from tests.fakes.members import picker

pytestmark = pytest.mark.untraced
TIMES = 4000


def timed(work):
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def quickest(of):
    """Of many rounds the one that nothing else on the machine disturbed."""
    return min(picks_ns(of, TIMES) for _ in range(15))


@pytest.mark.parametrize("balance", PICKERS)
@pytest.mark.parametrize("kind", [(100,), (100, 50, 200, 10)])
def test_a_hundred_times_the_endpoints_cost_a_few_times_as_much(balance, kind):
    """Looking at each would cost about a hundred times as much; a cache that others fill makes it a dozen at times."""
    few, many = (picker(balance, *[kind[n % len(kind)] for n in range(size)]) for size in (50, 5000))
    assert quickest(many) < 40 * quickest(few)


@pytest.mark.parametrize("balance", PICKERS)
def test_those_tried_cost_no_more_with_many_endpoints(balance):
    """Each pick after seven tries still looks at a few only: it is a matter of microseconds, not of thousands of members."""
    of = picker(balance, *[100] * 5000)
    tried = of.members[:7]
    few = picker(balance, *[100] * 50)

    def retry(which, tried):
        return min(timed(lambda: [choose(which, tried, key) for key in range(200)]) for _ in range(10))

    assert retry(of, tried) < 20 * retry(few, few.members[:7])


@pytest.mark.parametrize("balance", PICKERS)
def test_picks_allocate_nothing(balance):
    of = picker(balance, *[100] * 50)
    picks_ns(of, 1000)
    blocks = sys.getallocatedblocks()
    tracemalloc.start()
    try:
        picks_ns(of, 10_000)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 1000
    assert sys.getallocatedblocks() - blocks < 50


def test_a_cookie_is_found_as_quickly_among_many():
    def look(size):
        of = Route("web", picker("p2c", *[100] * size), ServiceOptions(balance="p2c", sticky="sid", timeout=1.0))
        head = f"GET / HTTP/1.1\r\nHost: web\r\nCookie: sid={of.members[-1].cookie_value}\r\n\r\n".encode()
        return min(timed(lambda: [recall(of, head) for _ in range(500)]) for _ in range(10))

    assert look(5000) < 20 * look(50)
