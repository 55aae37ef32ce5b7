"""What a look-up of a client's address costs does not grow with the number of networks."""

from __future__ import annotations

import time

import pytest

from haystack._fast.net.networks import Networks
from haystack.model.records import Network
from haystack.net import access
from haystack.net.rights import Right
from haystack.settings.settings import load

pytestmark = pytest.mark.untraced


def made(count: int) -> Networks:
    subnets = (f"{20 + n // 65536}.{n // 256 % 256}.{n % 256}.0/28" for n in range(count))
    return Networks(*access.table(load(), [Network(id="n", name="n", engine="e", driver="bridge", subnets=(each,)) for each in subnets]))


def cost(table: Networks) -> float:
    start = time.thread_time()
    for _ in range(20_000):
        table.find("20.0.5.7")
    return time.thread_time() - start


def test_ten_thousand_networks_are_looked_up_as_fast_as_ten() -> None:
    """Growth of the time for one look-up; and a table of so many is made within a moment."""
    many, few = made(10_000), made(10)
    assert (many.find("20.39.15.1") or 0) & Right.NEAR
    assert many.find("20.39.16.1") == 0
    assert min(cost(many) for _ in range(10)) < 3 * min(cost(few) for _ in range(10))
