"""haystack.protocol=h2: endpoints that speak HTTP/2 within TLS, chosen by ALPN (RFC 9113, section 3.2)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.client import Client
from tests.fakes.h2_origin import Call, H2Origin
from tests.fakes.h2_site import at_once
from tests.fakes.origin import Loop
from tests.fakes.pki import Authority, server_context
from tests.fakes.worker import Haystack, Member, host

NAME = "db.internal"
BODY = bytes(range(256)) * 8000


async def echo(call: Call) -> None:
    await call.answer(200, ("x-scheme", call.request.all(":scheme")[0]), body=await call.body() or b"ok")


@pytest.fixture
def within(tmp_path: Path, fakes: Loop) -> Iterator[tuple[H2Origin, Member]]:
    """An origin within TLS, which speaks h2 if it is asked to, and the container that it is."""
    authority = Authority(tmp_path)
    context = server_context(*authority.issue(NAME))
    context.set_alpn_protocols(["h2"])
    origin = H2Origin(fakes, echo, tls=context).start()
    labels = {"haystack.protocol": "h2", "haystack.tls.ca": str(authority.path), "haystack.tls.server_name": NAME}
    yield origin, Member("web", origin.port, labels)
    origin.stop()


def test_requests_share_a_connection_within_tls(within: tuple[H2Origin, Member]) -> None:
    origin, member = within

    def ask(_: int) -> tuple[int, str | None, bytes]:
        with Client(haystack.port, timeout=20) as client:
            head = f"POST / HTTP/1.1\r\nHost: {host('web')}\r\nContent-Length: {len(BODY)}\r\n\r\n".encode()
            response = client.send(head + BODY).response()
            return response.status, response.get("x-scheme"), response.body

    with Haystack([member]) as haystack:
        assert at_once(8, ask) == [(200, "https", BODY)] * 8
        assert {request.connection for request in origin.requests} == {origin.requests[0].connection}
        assert not origin.errors


def test_an_endpoint_that_does_not_choose_h2(within: tuple[H2Origin, Member]) -> None:
    origin, member = within
    assert origin.tls
    origin.tls.set_alpn_protocols(["http/1.1"])
    with Haystack([member]) as haystack, Client(haystack.port, timeout=20) as client:
        assert client.get(host("web")).status == 502
