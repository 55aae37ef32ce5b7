"""A small response of which a part has come and the rest does not: nothing of it has gone down, so it can be had elsewhere."""

from __future__ import annotations

import time

import pytest

from haystack._fast.exchange import outliers, testing
from haystack.model.records import ConnectionOptions
from tests.fuzz.ends import End
from tests.fuzz.rig import ANSWER, Rig
from tests.fuzz.service import Manner
from tests.unit.fast.test_h2_client import Peers

ONE, TWO, BOTH = 0b1, 0b10, 0b11
HELD = 0.05  # seconds for which any small response waits for its rest, as in http1_client.pyx
QUIET = 1.2  # seconds without a word: more than judge allows where nothing is known of a service
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"


def asked(rig: Rig, method: str = "GET", others: int = BOTH) -> End:
    """A client whose request is at the first endpoint, while these are in the table."""
    rig.service.change(ONE, Manner(0))
    client = rig.connect()
    client.send(f"{method} / HTTP/1.1\r\nHost: 1.2.3.4\r\n\r\n".encode())
    rig.settle()
    rig.service.change(others, Manner(0))
    return client


def pass_by(rig: Rig, seconds: float = HELD) -> None:
    """A little more than this goes by."""
    time.sleep(seconds + 0.01)
    rig.poller.sweep()
    rig.settle()


def bodies(client: End) -> bytes:
    return bytes(client.seen).partition(b"\r\n\r\n")[2]


@pytest.mark.parametrize("part", [HEAD, HEAD + b"who"], ids=["head", "half"])
def test_it_comes_from_another_endpoint_where_its_own_is_lost(rig: Rig, part: bytes) -> None:
    """As one that runs on a host that is lost: between its head and its body, which nginx sends apart."""
    client = asked(rig)
    rig.endpoints[0].send(part)
    rig.settle()
    pass_by(rig)
    assert bytes(client.seen) == b""
    rig.service.change(TWO, Manner.ENDED)
    rig.settle()
    rig.endpoints[1].send(ANSWER)
    rig.settle()
    assert bytes(client.seen).startswith(b"HTTP/1.1 200 ")
    assert bodies(client) == b"ok"


def test_it_goes_on_with_the_next_bytes_of_it(rig: Rig) -> None:
    """Its endpoint is slow, and that is all."""
    client = asked(rig)
    rig.endpoints[0].send(HEAD + b"w")
    rig.settle()
    pass_by(rig)
    assert bytes(client.seen) == b""
    rig.endpoints[0].send(b"ho")
    rig.settle()
    assert bodies(client) == b"who"
    rig.endpoints[0].send(b"le")
    rig.settle()
    assert bodies(client) == b"whole"


@pytest.mark.parametrize(
    ("method", "others"),
    [("GET", ONE), ("POST", BOTH), ("DELETE", BOTH)],
    ids=["nobody else is there", "it may not be repeated", "it has had its effect"],
)
def test_it_goes_on_after_a_moment_where_it_can_be_had_nowhere_else(rig: Rig, method: str, others: int) -> None:
    client = asked(rig, method, others)
    rig.endpoints[0].send(HEAD + b"w")
    rig.settle()
    pass_by(rig)
    assert bodies(client) == b"w"


def test_it_goes_on_after_a_moment_where_it_was_sent_elsewhere_already(rig: Rig) -> None:
    """It may be the request at which endpoints stop: it is not asked a third time."""
    client = asked(rig)
    rig.service.change(TWO, Manner.ENDED)
    rig.settle()
    rig.service.change(BOTH, Manner(0))
    rig.endpoints[1].send(HEAD + b"w")
    rig.settle()
    pass_by(rig)
    assert bodies(client) == b"w"


def test_it_goes_on_after_a_moment_where_memory_is_short(rig: Rig) -> None:
    greedy = rig.connect()
    greedy.send(b"GET / HTTP/1.1\r\nHost: 1.2.3.4\r\n\r\n")
    rig.settle()
    rig.reading = False
    rig.endpoints[0].send(b"HTTP/1.1 200 OK\r\n\r\n")
    rig.worker.limits.max_kept = 100_000
    while rig.poller.kept <= 50_000:
        rig.endpoints[0].send(b"x" * 10_000)
        rig.settle()
    rig.service.change(TWO, Manner(0))
    client = rig.connect()
    client.send(b"GET / HTTP/1.1\r\nHost: 1.2.3.4\r\n\r\n")
    rig.settle()
    rig.service.change(BOTH, Manner(0))
    rig.endpoints[1].send(HEAD + b"w")
    rig.settle()
    pass_by(rig)
    client.receive()
    assert bodies(client) == b"w"
    rig.worker.limits.max_kept = 0
    rig.reading = True


def test_the_client_is_told_where_nothing_more_comes_for_as_long_as_an_endpoint_may_take(rig: Rig) -> None:
    """From the last byte on, and with a whole answer instead of a broken one."""
    rig.service.timeout_ms = 2000
    client = asked(rig)
    pass_by(rig, 1.2)
    rig.endpoints[0].send(HEAD + b"w")
    rig.settle()
    pass_by(rig)
    pass_by(rig, 0.5)
    assert bytes(client.seen) == b""
    pass_by(rig, 2.0)
    assert bytes(client.seen).startswith(b"HTTP/1.1 504 ")


def test_its_endpoint_counts_as_one_that_keeps_it_waiting(rig: Rig) -> None:
    """Where others answer sooner it is silent, as one whose process is frozen: what it has begun is asked for elsewhere."""
    clients = [asked(rig) for _ in range(4)]
    for end in rig.endpoints:
        end.send(HEAD)
    rig.settle()
    end = time.monotonic() + QUIET
    while len(rig.endpoints) == len(clients) and time.monotonic() < end:
        pass_by(rig)
        outliers.look(rig.worker)
        rig.settle()
    assert testing.state_of(rig.service.members[0].endpoint)["sampled_at"] > 0
    rig.endpoints[-1].send(ANSWER)
    rig.settle()
    assert [bodies(client) for client in clients].count(b"ok") == 1


@pytest.fixture
def peers(rig: Rig) -> Peers:
    """Both endpoints of the rig speak HTTP/2."""
    for endpoint in rig.service.endpoints:
        endpoint.use(ConnectionOptions(protocol="h2c"))
    return Peers(rig)


def begun(rig: Rig, peers: Peers, others: int = BOTH) -> End:
    """A client whose response from the first endpoint has begun."""
    client = asked(rig, others=others)
    peers.settle()
    stream = peers.all[0].streams[0]
    peers.all[0].http2.send_headers(stream, [(":status", "200"), ("content-length", "5")])
    peers.all[0].http2.send_data(stream, b"w")
    peers.settle()
    pass_by(rig)
    peers.settle()
    return client


def test_a_stream_comes_from_another_endpoint_where_its_own_is_lost(rig: Rig, peers: Peers) -> None:
    client = begun(rig, peers)
    assert bytes(client.seen) == b""
    rig.service.change(TWO, Manner.ENDED)
    peers.settle()
    peers.all[1].answer()
    peers.settle()
    assert bodies(client) == b"ok"


def test_a_stream_goes_on_with_the_next_bytes_of_it(rig: Rig, peers: Peers) -> None:
    client = begun(rig, peers)
    assert bytes(client.seen) == b""
    peers.all[0].http2.send_data(peers.all[0].streams[0], b"ho")
    peers.settle()
    assert bodies(client) == b"who"
    peers.all[0].http2.send_data(peers.all[0].streams[0], b"le", end_stream=True)
    peers.settle()
    assert bodies(client) == b"whole"


def test_a_stream_goes_on_after_a_moment_where_it_can_be_had_nowhere_else(rig: Rig, peers: Peers) -> None:
    assert bodies(begun(rig, peers, ONE)) == b"w"


def test_the_client_of_a_stream_is_told_where_nothing_more_comes(rig: Rig, peers: Peers) -> None:
    rig.service.timeout_ms = 2000
    client = begun(rig, peers)
    assert bytes(client.seen) == b""
    pass_by(rig, 2.1)
    assert bytes(client.seen).startswith(b"HTTP/1.1 504 ")
