"""A worker that has no descriptor for an endpoint's connection: whom it tells, and whom it does not blame."""

from __future__ import annotations

from tests.fakes.shortage import no_more_descriptors
from tests.fuzz.rig import ANSWER, Rig

GET = b"GET / HTTP/1.1\r\nHost: 1.2.3.4\r\n\r\n"


def test_without_a_descriptor_a_request_is_answered_503_and_no_endpoint_is_blamed(rig: Rig) -> None:
    """RFC 9209, section 2.3: proxy_internal_error. Each of the endpoints is asked again as soon as that can be."""
    client = rig.connect()
    rig.settle()
    for _ in range(4):
        client.seen.clear()
        client.send(GET)
        with no_more_descriptors():
            rig.settle()
        assert client.seen.startswith(b"HTTP/1.1 503 ")
        assert b"Proxy-Status: haystack; error=proxy_internal_error; " in client.seen
    assert rig.worker.take_faults() == []
    assert rig.worker.take_errors() == {(b"proxy_internal_error", 503): 4}
    client.send(GET)
    rig.settle()
    (asked,) = rig.endpoints
    client.seen.clear()
    asked.send(ANSWER)
    rig.settle()
    assert client.seen.startswith(b"HTTP/1.1 200 ")


def test_a_connection_that_rests_makes_room_for_another_endpoint(rig: Rig) -> None:
    """Of the pooled ones, whoever's they are, the one that has rested longest is closed."""
    client = rig.connect()
    client.send(GET)
    rig.settle()
    (first,) = rig.endpoints
    first.send(ANSWER)
    rig.settle()
    assert not first.over, "it rests"
    client.seen.clear()
    client.send(GET)
    with no_more_descriptors():
        rig.loop.turn()
    rig.settle()
    assert first.over
    rig.endpoints[1].send(ANSWER)
    rig.settle()
    assert client.seen.startswith(b"HTTP/1.1 200 ")
