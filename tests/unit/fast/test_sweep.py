"""A worker's tick when more comes than it can handle: others have their turn, and nobody is called late whose bytes are there."""

from __future__ import annotations

import resource
import time
from collections.abc import Iterator

import pytest

from tests.fuzz.ends import End
from tests.fuzz.rig import Rig

CROWD = 3000
NOBODY = b"GET / HTTP/1.1\r\nHost: nobody.example\r\n\r\n"
SWEEPS = 200
LOOKED = 64  # of those that are late, between two looks at the clock


@pytest.fixture(autouse=True)
def descriptors() -> Iterator[None]:
    """Two a client."""
    old = resource.getrlimit(resource.RLIMIT_NOFILE)
    if old[1] < 2 * CROWD + 200:
        pytest.skip("the system allows too few files")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(old[0], 2 * CROWD + 200), old[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, old)


def connected(rig: Rig, count: int) -> list[End]:
    for number in range(count):
        rig.connect()
        if number % 64 == 0:  # the queue of connections is not endless
            rig.settle()
    rig.settle()
    return rig.clients[-count:]


def silent(rig: Rig) -> None:
    """Clients that have sent nothing, and whose time is up."""
    connected(rig, CROWD)
    time.sleep(0.005)  # longer than the deadline: the poller has its own clock, and no event tells of it


def crowd(rig: Rig) -> None:
    """Clients that all have just sent a request."""
    for client in connected(rig, CROWD):
        client.send(NOBODY)


def test_a_sweep_among_many_busy_clients_lets_others_have_their_turn(rig: Rig) -> None:
    """It handled up to 16,384 events in one go: the worker said nothing to its supervisor for more than a second."""
    crowd(rig)
    assert not rig.poller.sweep(), "all of them in one turn"
    done = rig.worker.counted()[0]
    assert 0 < done < CROWD
    turns = next(number for number in range(SWEEPS) if rig.poller.sweep())
    assert 0 < turns < CROWD // 256
    assert rig.worker.counted()[0] == CROWD


@pytest.mark.parametrize("rig", [{"idle_ms": 1}], indirect=True)
def test_whose_request_has_come_is_answered_before_anybody_is_late(rig: Rig) -> None:
    """All have been idle for too long, as after a second in which the worker was stopped."""
    crowd(rig)
    while not rig.poller.sweep():
        pass
    rig.settle()
    assert all(client.seen.startswith(b"HTTP/1.1 404 ") for client in rig.clients)


@pytest.mark.parametrize("rig", [{"idle_ms": 1}], indirect=True)
def test_of_those_that_are_late_the_oldest_are_ended_first(rig: Rig) -> None:
    """The newest came first: while more became late than one tick can end, silent clients that were there before were never reached."""
    silent(rig)
    assert rig.poller.sweep()
    rig.settle()
    assert not rig.clients[-1].over, "all of them in one turn: nothing is shown"
    for _ in range(2):
        connected(rig, 50)  # late as well by the next tick
        time.sleep(0.005)  # longer than the deadline: the poller has its own clock, and no event tells of it
        assert rig.poller.sweep()
        rig.settle()
        ended = [client.over for client in rig.clients]
        assert ended[0]
        assert ended == sorted(ended, reverse=True), "some that came later were ended before"


@pytest.mark.parametrize("rig", [{"idle_ms": 1}], indirect=True)
def test_deadlines_have_time_of_their_own(rig: Rig) -> None:
    """What had come took all the time of a sweep: then 64 of those that were late were ended in a tick, and no more."""
    silent(rig)
    busy = connected(rig, 200)  # fewer than make a batch: one call handles them all, however long that takes
    most = 0
    for _ in range(5):  # a busy machine may take the time of one
        for client in busy:
            client.send(NOBODY * 16)
        before, answered = rig.poller.open_sockets, rig.worker.counted()[0]
        assert rig.poller.sweep()
        most = max(most, before - rig.poller.open_sockets)
        if most > LOOKED:
            break
        assert rig.worker.counted()[0] - answered >= len(busy)
        rig.settle()
    assert most > LOOKED


@pytest.mark.parametrize("rig", [{"idle_ms": 2000}], indirect=True)
def test_a_sweep_that_goes_on_knows_what_time_it_is(rig: Rig) -> None:
    """Whose request it handled then was given a time limit that counted from where the sweep had begun."""
    crowd(rig)
    assert not rig.poller.sweep()
    before = rig.worker.counted()[0]
    time.sleep(2.1)  # as if others had the processor: the poller has its own clock
    while not rig.poller.sweep():
        pass
    assert rig.worker.counted()[0] == CROWD
    for _ in range(20):
        rig.poller.sweep()
    ended = CROWD - (rig.poller.open_sockets - rig.sockets)
    assert 0 < ended <= before, "some were late who had just been answered"
