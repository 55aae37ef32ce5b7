"""An endpoint or a client that takes too long gets an end that says so (RFC 9110, sections 15.5.9 and 15.6.5)."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from tests.fakes.client import Client
from tests.fakes.origin import Loop, Origin, never
from tests.fakes.worker import Haystack, Member, host


@pytest.fixture
def silent(fakes: Loop) -> Iterator[Origin]:
    """An origin that takes requests and never answers."""
    made = Origin(fakes, never()).start()
    yield made
    made.stop()


def test_an_endpoint_that_never_answers_is_504_and_says_why(silent: Origin) -> None:
    """RFC 9110, section 15.6.5; RFC 9209, section 2.3.10 (http_response_timeout); the label haystack.timeout."""
    with Haystack([Member("slow", silent.port, {"haystack.timeout": "300ms"})]) as haystack, Client(haystack.port) as client:
        began = time.monotonic()
        response = client.get(host("slow"))
        assert response.status == 504
        assert "http_response_timeout" in (response.get("proxy-status") or "")
        assert 0.3 <= time.monotonic() - began < 2


def test_a_client_that_stops_within_its_body_is_408(silent: Origin) -> None:
    """RFC 9110, section 15.5.9: the endpoint is not blamed for what its client did not send."""
    with Haystack([Member("slow", silent.port, {"haystack.timeout": "300ms"})]) as haystack, Client(haystack.port) as client:
        client.send(f"PUT / HTTP/1.1\r\nHost: {host('slow')}\r\nContent-Length: 10\r\n\r\nhalf".encode())
        assert client.response().status == 408
