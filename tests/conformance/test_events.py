"""/api/events through a worker: nothing is held back, silence ends nothing, and an open stream delays no end."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator

import pytest

from tests.fakes.client import Client
from tests.fakes.worker import Haystack, Member, until

REQUEST = b"GET /api/events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"
MEMBERS = [Member("web", 1), Member("web", 2), Member("api", 3)]


@pytest.fixture(scope="module")
def haystack() -> Iterator[Haystack]:
    with Haystack(list(MEMBERS)) as made:
        yield made


class Listener(Client):
    """One that has asked for the events."""

    def __init__(self, port: int, last: str = "") -> None:
        super().__init__(port, timeout=30)
        self.text = ""
        self.send(REQUEST.replace(b"\r\n\r\n", f"\r\nLast-Event-ID: {last}\r\n\r\n".encode()) if last else REQUEST)

    def until(self, word: str) -> str:
        """All that came up to this, and it."""
        while word not in self.text:
            data = self.socket.recv(65536)
            assert data, self.text[-500:]
            self.text += data.decode()
        found, _, self.text = self.text.partition(word)
        return found + word

    def rest(self) -> str:
        while data := self.socket.recv(65536):
            self.text += data.decode()
        return self.text


def test_a_change_is_told_at_once(haystack: Haystack) -> None:
    with Listener(haystack.port) as listener:
        head = listener.until("\r\n\r\n")
        assert "200 OK" in head
        assert "content-length" not in head.lower()
        assert "api.services.haystack" in listener.until("event: complete")
        haystack.show(MEMBERS[:2])
        assert '["service","api.services.haystack",null]' in listener.until("null]")
        haystack.show(MEMBERS)
        listener.until('["service","api.services.haystack",{')


def test_one_who_comes_again_goes_on_where_it_was(haystack: Haystack) -> None:
    with Listener(haystack.port) as listener:
        last = listener.until("event: complete\nid: ") and listener.until("\n").strip()
        haystack.show(MEMBERS[:2])
        listener.until("null]")
    with Listener(haystack.port, last) as again:
        assert "event: begin" not in again.until("null]")
    haystack.show(MEMBERS)
    until(lambda: haystack.serving("api", ready=False) == 1, 10, "the service never came back")


def test_the_place_of_one_who_has_gone_is_free_again(haystack: Haystack) -> None:
    def served() -> bool:
        with Listener(haystack.port) as listener:
            return "200 OK" in listener.until("\r\n\r\n")

    for _ in range(40):  # more than there is room for
        until(served, 10, "refused")


@pytest.mark.untraced
def test_an_open_stream_ends_cleanly_with_haystack_and_delays_it_not() -> None:
    made = Haystack(list(MEMBERS), HAYSTACK_DRAIN="30s")
    with made:
        listeners = [Listener(made.port) for _ in range(3)]
        for listener in listeners:
            listener.until("event: complete")
        began = time.monotonic()
        made.terminate()
        for listener in listeners:
            assert listener.rest().endswith("0\r\n\r\n")  # the last chunk: nothing was cut off
            listener.socket.close()
        made.ended()
        made.stop = lambda: None  # type: ignore[method-assign]
    assert time.monotonic() - began < 8


@pytest.mark.untraced
def test_a_stream_moves_to_the_haystack_that_replaces_it() -> None:
    with Haystack(list(MEMBERS)) as old:
        listener = Listener(old.port)
        listener.until("event: complete")
        instead = Haystack(list(MEMBERS), instead_of=old, HAYSTACK_HTTP_PORT=str(old.port))
        old.stop = old.ended  # type: ignore[method-assign] # it ends by itself, replaced
        with instead:
            assert listener.rest().endswith("0\r\n\r\n")
            listener.socket.close()
            with Listener(instead.port) as again:
                again.until("event: complete")


def test_the_document_of_all_addresses_is_served(haystack: Haystack) -> None:
    with Client(haystack.port) as client:
        assert json.loads(client.get("localhost", "/openapi.json").body)["openapi"].startswith("3.1")
