"""Priorities of HTTP/2 (RFC 9218): whose bytes go first where a window holds several answers up."""

from __future__ import annotations

import struct
from collections.abc import Iterator

import pytest
from hyperframe.frame import DataFrame, WindowUpdateFrame

from tests.fakes.h2c import WEB, House, house
from tests.fakes.http2 import Rude
from tests.fakes.origin import Loop, respond

WINDOW = 65_535  # of a connection that nobody has changed
SIZE = 30_000  # held until it is whole: where its head has come, all of it waits
PRIORITY_UPDATE = 0x10


@pytest.fixture(scope="module")
def web(fakes: Loop) -> Iterator[House]:
    with house(fakes, body(WINDOW), body(SIZE)) as made:
        yield made


def body(size: int):
    return respond(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size)


def update(number: int, priority: bytes) -> bytes:
    """PRIORITY_UPDATE (section 7.1)."""
    payload = struct.pack(">I", number) + priority
    return len(payload).to_bytes(3, "big") + bytes([PRIORITY_UPDATE, 0]) + bytes(4) + payload


def order(client: Rude, *priorities: str, updates: bytes = b"", early: bytes = b"") -> list[int]:
    """In which order frames of answers come that wait at the same time: of the first request, the second, and so on."""
    client.send(early, client.head(WEB))
    client.body(1)  # the window is used up
    first = client.next
    for priority in priorities:
        client.send(client.head("web1.services.haystack", fields=[("priority", priority)] if priority else []))
    numbers = range(first, client.next, 2)
    assert client.hear(lambda: all(number in client.sections for number in numbers))
    client.send(updates, WindowUpdateFrame(0, len(numbers) * SIZE))
    for number in numbers:
        assert len(client.body(number)) == SIZE
    return [numbers.index(frame.stream_id) for frame in client.of(DataFrame) if frame.stream_id in numbers and frame.data]


def rude(web: House) -> Rude:
    return web.rude(settings={4: 1 << 20})


def test_the_most_urgent_goes_first(web: House) -> None:
    with rude(web) as client:
        assert order(client, "u=7", "u=5", "u=0", "") == [2, 2, 3, 3, 1, 1, 0, 0]


def test_of_the_same_urgency_one_goes_after_another_and_incremental_ones_side_by_side(web: House) -> None:
    with rude(web) as client:
        assert order(client, "u=1", "u=1") == [0, 0, 1, 1]
    with rude(web) as client:
        assert order(client, "u=1, i", "u=1, i") == [0, 1, 0, 1]


def test_a_client_may_change_its_mind(web: House) -> None:
    with rude(web) as client:
        assert order(client, "u=5", "u=5", "u=5", updates=update(7, b"u=0") + update(3, b"u=6")) == [2, 2, 1, 1, 0, 0]


def test_a_priority_may_come_before_its_request(web: House) -> None:
    """As of a page that knows what it will ask for next."""
    with rude(web) as client:
        assert order(client, "", "", early=update(5, b"u=1")) == [1, 1, 0, 0]


@pytest.mark.parametrize("priority", ["", "u=9", "u=x", "nonsense", "i=?0, u=3", "\x7f"])
def test_what_says_nothing_is_no_error(web: House, priority: str) -> None:
    with rude(web) as client:
        order(client, "u=3", updates=update(3, priority.encode()))
