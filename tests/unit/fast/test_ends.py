"""How exchanges end when something goes wrong: what is counted, what is told, and that one's end is nobody else's."""

from __future__ import annotations

import collections
import gc
import json
import time

import pytest

from haystack._fast.balance import pickers
from haystack._fast.endpoint.endpoint import Route
from haystack.model.service_options import ServiceOptions
from tests.fuzz.ends import Places
from tests.fuzz.rig import ANSWER, Rig
from tests.fuzz.service import Manner

ONE, BOTH = 0b1, 0b11
LONG = 60_000
HOST = b"Host: 1.2.3.4\r\n"
GET = b"GET / HTTP/1.1\r\n" + HOST + b"\r\n"
UPGRADE = b"GET / HTTP/1.1\r\n" + HOST + b"Connection: upgrade\r\nUpgrade: websocket\r\n\r\n"
SWITCH = b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
CHUNKED = b"POST / HTTP/1.1\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n"


def ask(rig, request, client=None):
    """Send this and have it handled. The client."""
    client = client or rig.connect()
    client.send(request)
    rig.settle()
    return client


def answer(rig, response=ANSWER):
    """Have the endpoints that are asked answer."""
    for endpoint in rig.endpoints:
        if endpoint.there:
            endpoint.send(response)
    rig.settle()


def line(rig):
    (told,) = rig.worker.log.take()[0].splitlines()
    return json.loads(told)


def later(rig, seconds):
    time.sleep(seconds)  # of the endpoint's own time
    rig.sweep()
    rig.settle()


def test_the_last_chunk_gives_the_endpoint_its_time(rig: Rig) -> None:
    rig.service.timeout_ms = 3000
    rig.service.change(ONE, Manner(0))
    client = ask(rig, CHUNKED)
    later(rig, 1.6)
    ask(rig, b"0\r\n\r\n", client)
    later(rig, 1.6)
    answer(rig)
    assert bytes(client.seen).startswith(b"HTTP/1.1 200")
    assert rig.worker.take_faults() == []


@pytest.mark.parametrize("rig", [{"tunnel_ms": 1}], indirect=True)
def test_the_end_of_an_idle_tunnel_is_no_error(rig: Rig) -> None:
    rig.service.change(ONE, Manner(0))
    client = ask(rig, UPGRADE)
    answer(rig, SWITCH)
    rig.sweep()
    rig.settle()
    assert client.over
    assert rig.worker.take_errors() == {}


def test_too_many_interim_responses_are_no_fault_of_the_endpoint(rig: Rig) -> None:
    rig.service.change(ONE, Manner(0))
    client = ask(rig, GET)
    answer(rig, b"HTTP/1.1 103 Early Hints\r\n\r\n" * 40)
    assert b"HTTP/1.1 502" in client.seen
    assert rig.worker.take_faults() == []


def test_what_came_of_a_body_that_breaks_off_is_told(rig: Rig) -> None:
    rig.log()
    rig.service.change(ONE, Manner(0))
    client = rig.connect()
    client.send(b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 10\r\n\r\nabc")
    client.half_close()
    rig.settle()
    assert line(rig)["received"] == 3


def test_a_refused_request_is_logged_with_the_id_that_its_answer_tells(rig: Rig) -> None:
    rig.log()
    client = ask(rig, b"CONNECT a:80 HTTP/1.1\r\n" + HOST + b"\r\n")
    assert b"X-Request-Id: %s\r\n" % line(rig)["request_id"].encode() in client.seen


@pytest.mark.parametrize("rig", [{"head_ms": 1}], indirect=True)
def test_a_slow_second_head_ends_the_connection_at_once(rig: Rig) -> None:
    rig.service.change(ONE, Manner(0))
    client = ask(rig, GET)
    answer(rig)
    ask(rig, b"GET / HT", client)
    rig.sweep()
    rig.settle()
    assert b"HTTP/1.1 408" in client.seen
    assert client.over
    assert rig.worker.clients.count == 0


def test_an_http10_client_gets_no_trailers_so_bad_ones_are_no_matter(rig: Rig) -> None:
    rig.service.change(ONE, Manner(0))
    client = ask(rig, b"GET / HTTP/1.0\r\n" + HOST + b"\r\n")
    answer(rig, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nContent-Length: x\r\n\r\n")
    assert bytes(client.seen).startswith(b"HTTP/1.1 200")
    assert bytes(client.seen).endswith(b"ok")


def broken_route(rig):
    """A route whose name can't be written in UTF-8: telling of it fails, as a bug would."""
    member = rig.service.members[0]
    queue = rig.service.route.queue
    picker = pickers.make("roundrobin", [member], [100], None)
    return Route("\ud800", picker, ServiceOptions(balance="roundrobin", timeout=LONG / 1000, upgrade=("any",)), queue=queue)


def test_an_exception_behind_a_close_ends_nobody_else(rig: Rig) -> None:
    """Its endpoint's connection has been closed when it comes."""
    rig.service.wait_ms = 0
    rig.service.change(ONE, Manner.HASTY)
    ask(rig, GET)
    rig.service.change(0, Manner.HASTY)
    rig.service.route.mute = "\ud800"
    (endpoint,) = rig.endpoints
    rig.drop(endpoint)
    rig.settle()
    assert [type(error) for error in rig.errors] == [UnicodeEncodeError]
    rig.errors.clear()


@pytest.mark.parametrize("rig", [{"queue_ms": 1}], indirect=True)
def test_an_exception_behind_the_end_of_an_exchange_ends_it_once(rig: Rig) -> None:
    rig.service.change(ONE, Manner.LIMITED)
    ask(rig, GET)
    ask(rig, GET * 2)
    real = rig.loop.call_soon

    def fails(_callback):
        rig.loop.call_soon = real
        raise RuntimeError("once")

    rig.loop.call_soon = fails
    rig.sweep()
    rig.settle()
    assert [str(error) for error in rig.errors] == ["once"]
    rig.errors.clear()
    for _ in range(5):
        ask(rig, GET)
        rig.sweep()
        rig.settle()


def test_a_line_that_can_not_be_written_is_lost_alone(rig: Rig) -> None:
    rig.log()
    rig.service.route = broken_route(rig)
    rig.service.router.fall_back(rig.service.route)
    client = ask(rig, GET)
    rig.drop(client)
    rig.settle()
    assert [type(error) for error in rig.errors] == [UnicodeEncodeError]
    rig.errors.clear()
    assert rig.worker.clients.count == 0
    rig.service.change(ONE, Manner(0))
    ask(rig, GET)


def alive():
    named = (type(each) for each in gc.get_objects())
    return collections.Counter(each.__name__ for each in named if str(each.__module__).startswith("haystack._fast."))


def live_through_it(rig):
    """All kinds of ends, once."""
    rig.service.change(BOTH, Manner.LIMITED)
    clients = [ask(rig, GET) for _ in range(5)]
    for client in (clients[0], clients[-1]):  # in flight, in the queue
        rig.drop(client)
    rig.sweep()
    rig.settle()
    answer(rig)
    tunnel = ask(rig, UPGRADE)
    answer(rig, SWITCH + b"hi")
    ask(rig, b"x", tunnel)
    rig.drop(tunnel)
    for part in (b"POST / HTTP/1.1\r\n" + HOST + b"Content-Length: 10\r\n\r\nab", b"\x16\x03\x01", b"GET / H", GET):
        ask(rig, part)
    for _ in range(3):  # broken, and sent again
        for end in [each for each in rig.endpoints if each.there]:
            rig.drop(end)
        rig.settle()
    for end in [each for each in rig.clients if each.there]:
        rig.drop(end)
    rig.settle()
    rig.service.change(0, Manner.LIMITED)
    rig.sweep()
    rig.settle()
    rig.take_all()
    rig.clients.clear()
    rig.endpoints.clear()


@pytest.mark.parametrize("rig", [{"queue_ms": 1, "head_ms": 1}], indirect=True)
def test_nothing_waits_for_the_garbage_collector(rig: Rig) -> None:
    """A worker has it switched off."""
    gc.collect()
    gc.disable()
    try:
        for _ in range(3):
            live_through_it(rig)
        before = alive()
        for _ in range(10):
            live_through_it(rig)
        grown = alive() - before
    finally:
        gc.enable()
    of_connections = ("Transport", "Http1Server", "Http1ServerLeg", "Http1Client", "Http1ClientLeg", "Exchange")
    assert {name: grown[name] for name in of_connections if grown[name]} == {}


def test_what_a_worker_shares_goes_with_it(places: Places) -> None:
    """Exchanges at rest held it, and it held them."""
    times = dict.fromkeys(("head_ms", "idle_ms", "connect_ms", "tunnel_ms", "pool_ms", "queue_ms"), LONG)
    gc.collect()
    gc.disable()
    try:
        before = alive()
        rig = Rig(places, **times)
        rig.service.change(ONE, Manner(0))
        ask(rig, GET)
        answer(rig)
        for end in (*rig.clients, *rig.endpoints):
            rig.drop(end)
        rig.settle()
        rig.service.change(0, Manner(0))
        rig.close()
        del rig.listener, rig.service, rig.worker, rig.poller, rig.loop
        grown = alive() - before
    finally:
        gc.enable()
    assert (grown["WorkerState"], grown["Exchange"]) == (0, 0)
