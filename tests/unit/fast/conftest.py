"""A worker's data plane turned by hand (tests/fuzz/rig.py), for tests of single exchanges."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.fuzz.ends import Places
from tests.fuzz.rig import Rig
from tests.fuzz.service import Manner

LONG = 60_000
BOTH = 0b11


@pytest.fixture(scope="module")
def places() -> Iterator[Places]:
    made = Places()
    yield made
    made.close()


@pytest.fixture
def rig(places: Places, request: pytest.FixtureRequest) -> Iterator[Rig]:
    """One service of two endpoints. Nobody's time is up before a test says so; at its end nothing is left. Its parameter: other limits."""
    usual = dict.fromkeys(("head_ms", "idle_ms", "connect_ms", "tunnel_ms", "pool_ms", "queue_ms"), LONG)
    made = Rig(places, **usual | getattr(request, "param", {}))
    made.service.timeout_ms = LONG
    made.service.change(BOTH, Manner(0))
    yield made
    for end in (*made.clients, *made.endpoints):
        made.drop(end)
    made.settle()
    made.service.change(0, Manner(0))
    made.close()
