"""Max-Forwards of TRACE and OPTIONS: counted down, and at nothing the proxy answers itself (RFC 9110, section 7.6.2)."""

from __future__ import annotations

import pytest

from tests.fakes.origin import Origin, respond
from tests.fakes.worker import Site


@pytest.fixture(scope="module")
def counting(site: Site) -> tuple[str, Origin]:
    return site.one()


@pytest.mark.parametrize("method", ["TRACE", "OPTIONS"])
@pytest.mark.parametrize(("value", "left"), [("1", "0"), ("2", "1"), ("10", "9"), ("012", "11"), ("999999999999999999999", "999999")])
def test_it_is_one_less_for_who_comes_next(site: Site, counting: tuple[str, Origin], method: str, value: str, left: str) -> None:
    """Section 7.6.2: the received value less one, or the most that the recipient knows."""
    name, origin = counting
    with site.client() as client:
        assert client.get(name, extra=f"max-forwards: {value}\r\nX-After: 1\r\n".encode(), method=method).status == 200
    seen = origin.requests[-1]
    assert (seen.fields("max-forwards"), seen.fields("x-after")) == ([left], ["1"])


@pytest.mark.parametrize(("method", "target"), [("OPTIONS", "/"), ("OPTIONS", "*"), ("OPTIONS", "http://{}"), ("TRACE", "/")])
def test_at_zero_the_proxy_is_the_last_one(site: Site, counting: tuple[str, Origin], method: str, target: str) -> None:
    """Sections 7.6.2, 9.3.7 and 9.3.8: OPTIONS has its answer here; TRACE is not reflected: 501, as for any method that is not there."""
    name, origin = counting
    before = len(origin.requests)
    with site.client() as client:
        for zero in (b"0", b"00"):
            response = client.get(name, target.format(name), b"Max-Forwards: " + zero + b"\r\nCookie: secret\r\n", method)
            assert response.status == (200 if method == "OPTIONS" else 501)
            assert (response.get("proxy-status") or "").startswith("haystack")
            assert ("error=" in response.get("proxy-status")) == (method == "TRACE")
            assert response.get("allow") is None, "what the endpoint allows is not known here"
            assert b"secret" not in response.body
        assert client.get(name).status == 200, "the connection goes on"
    assert [each.line for each in origin.requests[before:]] == ["GET / HTTP/1.1"]


def test_a_body_that_nobody_reads_ends_the_connection(site: Site, counting: tuple[str, Origin]) -> None:
    """RFC 9112, section 9.6: bytes of a body are never taken for the next request."""
    name, origin = counting
    before = len(origin.requests)
    body = f"GET /smuggled HTTP/1.1\r\nHost: {name}\r\n\r\n".encode()
    with site.client() as client:
        client.send(f"OPTIONS / HTTP/1.1\r\nHost: {name}\r\nMax-Forwards: 0\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        response = client.response()
        assert (response.status, response.get("connection")) == (200, "close")
        assert client.closed()
    assert len(origin.requests) == before


@pytest.mark.parametrize(
    "fields", ["Max-Forwards:", "Max-Forwards: -1", "Max-Forwards: 1, 2", "Max-Forwards: 0x1", "Max-Forwards: 1\r\nMax-Forwards: 1"]
)
@pytest.mark.parametrize("method", ["TRACE", "OPTIONS"])
def test_what_is_no_number_is_400(site: Site, counting: tuple[str, Origin], method: str, fields: str) -> None:
    """Section 7.6.2: 1*DIGIT, once; it can't be counted down, nor sent on uncounted."""
    name, origin = counting
    before = len(origin.requests)
    with site.client() as client:
        assert client.get(name, extra=f"{fields}\r\n".encode(), method=method).status == 400
    assert len(origin.requests) == before


@pytest.mark.parametrize("method", ["GET", "trace", "Options"])
def test_with_any_other_method_it_is_left_alone(site: Site, counting: tuple[str, Origin], method: str) -> None:
    """Section 7.6.2: may be ignored; section 9.1: methods are case-sensitive."""
    name, origin = counting
    origin.script = respond()
    with site.client() as client:
        assert client.get(name, extra=b"Max-Forwards: 0\r\n", method=method).status == 200
    assert origin.requests[-1].fields("max-forwards") == ["0"]
