"""What a change of the routing table costs a worker is what has changed."""

from __future__ import annotations

import gc
import time

import pytest

from haystack.routing.rows import Table
from tests.unit.proxy.test_worker_routes import A, B, Fed, service

pytestmark = pytest.mark.untraced


def cost(fed: Fed, part: Table) -> float:
    started = time.thread_time()
    fed.apply(part)
    return time.thread_time() - started


def test_one_change_among_ten_thousand_services_costs_little() -> None:
    """A hundredth of the whole at most, whatever the machine."""
    services = [service(f"s{n}.services.haystack", A, B) for n in range(10_000)]
    fed = Fed()
    fed.show(*services)
    gc.collect()
    whole = cost(Fed(), Table(3, tuple(services)))
    part = Table(4, (service("s5000.services.haystack", A),), whole=False)
    assert min(cost(fed, part) for _ in range(5)) < whole / 100
