"""A client that sends too much of what carries no request is sent away, whatever it had asked for before."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hpack import Encoder
from hyperframe.frame import HeadersFrame, WindowUpdateFrame

from tests.fuzz.ends import End, Places
from tests.fuzz.fuzz_http2 import Http2Rig
from tests.fuzz.rig import ANSWER

FLOOD = WindowUpdateFrame(0, 1).serialize() * 3000
ASKED = [(":method", "GET"), (":scheme", "http"), (":path", "/"), (":authority", "1.2.3.4")]


@pytest.fixture
def rig() -> Iterator[Http2Rig]:
    places = Places()
    made = Http2Rig(places, h2c=True, max_streams=8)
    yield made
    made.close()
    places.close()


def asking(rig: Http2Rig) -> End:
    """A client whose request is at an endpoint."""
    client = rig.connect()
    client.send(HeadersFrame(1, Encoder().encode(ASKED), flags=["END_HEADERS", "END_STREAM"]).serialize())
    rig.settle()
    assert len(rig.endpoints) == 1
    return client


@pytest.mark.parametrize("first", ["its answer", "its flood"])
def test_it_is_closed_though_its_answer_comes_at_the_same_time(rig: Http2Rig, first: str) -> None:
    """What is sent to it any more is its GOAWAY: the answer would wait for ever, and the connection with it."""
    client = asking(rig)
    sends = [lambda: rig.endpoints[0].send(ANSWER), lambda: client.send(FLOOD)]
    for send in sends if first == "its answer" else reversed(sends):
        send()
    rig.settle()
    assert client.over
