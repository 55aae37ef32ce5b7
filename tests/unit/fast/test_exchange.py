"""Exchanges turned by hand, one batch of events at a time: what no test with processes can bring about each time it runs."""

from __future__ import annotations

import fcntl
import sys
import termios
import time

import pytest

from tests.fuzz.ends import End
from tests.fuzz.rig import ANSWER, Rig
from tests.fuzz.service import Manner

ONE, TWO, THREE, BOTH = 0b1, 0b10, 0b100, 0b11
LONG = 60_000
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"


def get(number: int) -> bytes:
    return b"GET /%d HTTP/1.1\r\nHost: 1.2.3.4\r\n\r\n" % number


def asking(rig: Rig, *data: bytes) -> list[End]:
    """Clients that have sent this, each handled before the next."""
    made = []
    for each in data:
        made.append(rig.connect())
        made[-1].send(each)
        rig.settle()
    return made


def seen(rig: Rig) -> list[bytes]:
    """The targets that endpoints were asked for, one connection after another."""
    lines = [line for end in rig.endpoints for line in bytes(end.seen).split(b"\r\n") if line.endswith(b" HTTP/1.1")]
    return [line.split(b" ")[1] for line in lines]


def waiting(rig: Rig) -> int:
    return rig.service.held()["waiting"][0]


def answer(rig: Rig) -> None:
    (end,) = [end for end in rig.endpoints if end.there]
    end.send(ANSWER)
    rig.settle()


def unread(end: End) -> int:
    """Bytes that have come and were not read."""
    return int.from_bytes(fcntl.ioctl(end.sock, termios.FIONREAD, bytes(4)), sys.byteorder)


def test_those_who_wait_keep_their_order_when_the_table_changes(rig: Rig) -> None:
    """Whoever is woken in vain stands before those who came later, and so do all of them."""
    rig.service.change(ONE, Manner.LIMITED)
    asking(rig, *(get(number) for number in range(5)))
    assert (seen(rig), waiting(rig)) == ([b"/0"], 4)
    rig.service.change(ONE, Manner.LIMITED | Manner.STICKY)
    rig.settle()
    assert (seen(rig), waiting(rig)) == ([b"/0"], 4)
    for _ in range(4):
        answer(rig)
    assert seen(rig) == [b"/%d" % number for number in range(5)]


def test_all_who_wait_for_an_endpoint_go_to_the_one_that_comes(rig: Rig) -> None:
    """None of them has to wait for the answer of another."""
    rig.service.wait_ms = LONG
    rig.service.change(0, Manner(0))
    asking(rig, *(get(number) for number in range(4)))
    assert (seen(rig), waiting(rig)) == ([], 4)
    rig.service.change(TWO, Manner(0))
    rig.settle()
    assert (seen(rig), waiting(rig)) == ([b"/%d" % number for number in range(4)], 0)


def test_a_request_waits_in_one_place_only(rig: Rig) -> None:
    """A client's next request, come in the same batch as the answer before and as the request of another that took its room."""
    rig.service.change(ONE, Manner.LIMITED)
    (first,) = asking(rig, get(1) + get(2))
    other = rig.connect()
    rig.settle()
    (endpoint,) = rig.endpoints
    endpoint.send(ANSWER)
    other.send(get(3))
    first.send(get(4))
    rig.settle()
    assert (seen(rig), waiting(rig)) == ([b"/1", b"/3"], 1)


def test_an_endpoint_is_not_late_because_this_process_was(rig: Rig) -> None:
    """Its answer came in time: that is seen before anybody's time is looked at."""
    rig.service.timeout_ms = 20
    rig.service.change(ONE, Manner(0))
    (client,) = asking(rig, get(1))
    rig.endpoints[0].send(ANSWER)
    time.sleep(0.05)
    rig.poller.sweep()
    rig.settle()
    assert bytes(client.seen).startswith(b"HTTP/1.1 200 ")
    assert rig.worker.take_faults() == []


def test_a_tunnel_that_was_held_up_may_rest_as_long_as_any(rig: Rig) -> None:
    """Only HAYSTACK_TUNNEL_TIMEOUT counts in a tunnel, also after its client was slow to read."""
    rig.service.timeout_ms = 20
    rig.service.change(ONE, Manner(0))
    (client,) = asking(rig, b"GET / HTTP/1.1\r\nHost: 1.2.3.4\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
    (endpoint,) = rig.endpoints
    endpoint.send(SWITCH)
    rig.settle()
    rig.reading = False
    poured = 0
    while unread(client) == poured:  # until its socket takes no more, and the worker has read all and holds the rest
        endpoint.send(b"x" * 10_000)
        poured += 10_000
        rig.settle()
    rig.reading = True
    rig.settle()
    time.sleep(0.05)
    rig.poller.sweep()
    rig.settle()
    endpoint.send(b"!")
    rig.settle()
    assert bytes(client.seen).endswith(b"x!")


def test_who_is_asked_again_goes_by_the_newest_table(rig: Rig) -> None:
    """An endpoint that was told to stop gets nothing new, also where another one's error comes after it has left."""
    rig.service.change(BOTH, Manner.RETRYING)
    asking(rig, get(1))
    (first,) = rig.endpoints
    rig.service.change(THREE, Manner.RETRYING)
    first.send(b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")
    rig.settle()
    assert [end.sock.getsockname() for end in rig.endpoints[1:]] == [rig.places.addresses["three"]]


@pytest.mark.parametrize("rig", [{"idle_ms": 100}], indirect=True)
def test_the_tail_of_an_answer_waits_for_a_client_that_reads_on(rig: Rig) -> None:
    """Its endpoint is free again, and our kernel tells of no room before it has much: what the client has taken is what counts."""
    (client,) = asking(rig, get(0))
    rig.reading = False
    whole = b"HTTP/1.1 200 OK\r\nContent-Length: 240000\r\n\r\n" + bytes(240_000)
    (endpoint,) = rig.endpoints
    while len(endpoint.sent) < len(whole):
        endpoint.send(whole[len(endpoint.sent) :])
        rig.settle()
    assert rig.worker.counted()[0] == 1, "the endpoint has done its part"
    came = 0
    for _ in range(3):  # in which nobody tells that there is room
        time.sleep(0.06)
        came += len(client.sock.recv(40_000))
        rig.sweep()
    rig.reading = True
    rig.settle()
    assert not client.over
    assert came + len(client.seen) > 240_000
