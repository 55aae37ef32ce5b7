"""What a worker does with the requests that wait for an endpoint, as endpoint/outlier.pyx decides."""

from __future__ import annotations

import time

import pytest

from haystack._fast.exchange import outliers, testing
from tests.fuzz.rig import Rig
from tests.fuzz.service import Manner

ONE, BOTH = 0b1, 0b11
QUIET = 1.2  # seconds without a word: more than judge allows where nothing is known of a service


@pytest.mark.parametrize(("method", "moved"), [("POST", False), ("GET", True)])
def test_a_sample_counts_where_a_request_could_go_elsewhere(rig: Rig, method: str, moved: bool) -> None:
    """A POST can't. It was noted as a sample all the same, and the next answer of another endpoint spoke against this one."""
    rig.service.change(ONE, Manner(0))
    for _ in range(8):
        rig.connect().send(f"{method} / HTTP/1.1\r\nHost: 1.2.3.4\r\n\r\n".encode())
    rig.settle()
    rig.service.change(BOTH, Manner(0))
    silent = rig.service.members[0].endpoint
    end = time.monotonic() + QUIET
    while not (state := testing.state_of(silent))["sampled_at"] and time.monotonic() < end:
        time.sleep(0.05)  # of its own time
        rig.poller.sweep()
        rig.settle()
        outliers.look(rig.worker)
    assert state["late"] == 8 or moved
    assert (state["sampled_at"] > 0) is moved
