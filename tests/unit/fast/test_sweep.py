"""A worker's tick when more comes than it can handle: others have their turn, and nobody is called late whose bytes are there."""

from __future__ import annotations

import resource
from collections.abc import Iterator

import pytest

from tests.fuzz.rig import Rig

CROWD = 3000
NOBODY = b"GET / HTTP/1.1\r\nHost: nobody.example\r\n\r\n"
SWEEPS = 200


@pytest.fixture(autouse=True)
def descriptors() -> Iterator[None]:
    """Two a client."""
    old = resource.getrlimit(resource.RLIMIT_NOFILE)
    if old[1] < 2 * CROWD + 200:
        pytest.skip("the system allows too few files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(old[0], 2 * CROWD + 200), old[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, old)


def crowd(rig: Rig) -> None:
    """Clients that all have just sent a request."""
    for number in range(CROWD):
        rig.connect()
        if number % 64 == 0:  # the queue of connections is not endless
            rig.settle()
    rig.settle()
    for client in rig.clients:
        client.send(NOBODY)


def test_a_sweep_among_many_busy_clients_lets_others_have_their_turn(rig: Rig) -> None:
    """It handled up to 16,384 events in one go: the worker said nothing to its supervisor for more than a second."""
    crowd(rig)
    assert not rig.poller.sweep(), "all of them in one turn"
    done = rig.plane.counted()[0]
    assert 0 < done < CROWD
    turns = next(number for number in range(SWEEPS) if rig.poller.sweep())
    assert 0 < turns < CROWD // 256
    assert rig.plane.counted()[0] == CROWD


@pytest.mark.parametrize("rig", [{"idle_ms": 1}], indirect=True)
def test_whose_request_has_come_is_answered_before_anybody_is_late(rig: Rig) -> None:
    """All have been idle for too long, as after a second in which the worker was stopped."""
    crowd(rig)
    while not rig.poller.sweep():
        pass
    rig.settle()
    assert all(client.seen.startswith(b"HTTP/1.1 404 ") for client in rig.clients)
