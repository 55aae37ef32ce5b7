"""No exchange without an end: each state has a time limit that holds however its peers time their bytes (RFC 9110, section 15.5.9)."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from tests.fakes.client import Client
from tests.fakes.origin import Loop, Origin, held, never, respond
from tests.fakes.worker import Haystack, Member, host, until

# the least rate is judged over the time limit, where that is short; and both requests of a test have to come within it
SINGLE = {"haystack.max_connections": "1", "haystack.timeout": "1500ms"}


@pytest.fixture(scope="module")
def origins(fakes: Loop) -> Iterator[list[Origin]]:
    """Of `web`, and of `single`, which takes one exchange at a time."""
    made = [Origin(fakes, respond()).start() for _ in range(2)]
    yield made
    for origin in made:
        origin.stop()


@pytest.fixture(scope="module")
def hasty(origins: list[Origin]) -> Iterator[Haystack]:
    """A Haystack that has little patience."""
    members = [Member("web", origins[0].port), Member("single", origins[1].port, SINGLE)]
    with Haystack(members, HAYSTACK_HEAD_TIMEOUT="300ms") as haystack:
        yield haystack


def test_a_long_body_that_comes_too_slowly_is_408(hasty: Haystack, origins: list[Origin]) -> None:
    """RFC 9110, section 15.5.9: also where its first part came while its request waited for room, and it is moved without being read."""
    gate = threading.Event()
    origins[1].script = held(gate)
    name = host("single")
    with Client(hasty.port) as first, Client(hasty.port) as second:
        first.send(f"GET / HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
        until(lambda: origins[1].requests, 9, "the endpoint was not asked")
        second.send(f"PUT / HTTP/1.1\r\nHost: {name}\r\nContent-Length: 1000000\r\n\r\n".encode())
        settle(hasty)
        second.send(b"x" * 1000)
        settle(hasty)
        origins[1].script = never()
        gate.set()
        assert first.response().status == 200
        assert dripped(second) == 408, "a byte now and then kept an endpoint's connection for ever"


def settle(haystack: Haystack) -> None:
    """A request of another connection that is answered shows that the worker has handled all before it."""
    with Client(haystack.port) as other:
        assert other.get("nowhere.services.haystack").status == 404


def dripped(client: Client) -> int:
    """The status with which a client is answered that sends a byte now and then; 0: it is not answered."""
    client.socket.settimeout(0.05)
    end = time.monotonic() + 8
    while time.monotonic() < end:
        try:
            return client.send(b"x").response().status
        except TimeoutError:
            continue
    return 0


def test_a_head_that_takes_too_long_after_head_has_its_answer_whole(hasty: Haystack, origins: list[Origin]) -> None:
    """RFC 9110, section 9.3.2: only the answer to HEAD itself is without its body."""
    origins[0].script = respond()
    with Client(hasty.port) as client:
        assert client.get(host("web"), method="HEAD").status == 200
        client.send(b"GET / HT")
        response = client.response()
        assert (response.status, response.complete) == (408, True)
        assert response.body
