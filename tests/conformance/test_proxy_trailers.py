"""Trailers: passed on behind a chunked body, never one that could change how its message is read (RFC 9110, section 6.5)."""

from __future__ import annotations

import pytest

from tests.fakes.normal import requests
from tests.fakes.origin import Origin, chunked, respond
from tests.fakes.worker import Site

FORBIDDEN = [
    "Content-Length",
    "Transfer-Encoding",
    "Host",
    "Connection",
    "Keep-Alive",
    "Proxy-Connection",
    "Upgrade",
    "TE",
    "Trailer",
    "Authorization",
    "Proxy-Authorization",
    "Proxy-Authenticate",
    "WWW-Authenticate",
    "Cookie",
    "Set-Cookie",
    "Content-Type",
    "Content-Encoding",
    "Content-Range",
    "Expect",
    "Max-Forwards",
    "Range",
    "Cache-Control",
    "X-Forwarded-For",
    "X-Forwarded-Proto",
    "X-Forwarded-Host",
    "X-Forwarded-Port",
    "Forwarded",
    "X-Request-Id",
]
POST = "POST / HTTP/{}\r\nHost: {}\r\nTransfer-Encoding: chunked\r\n{}\r\n5\r\nhello\r\n0\r\n"


@pytest.fixture(scope="module")
def trailing(site: Site) -> tuple[str, Origin]:
    return site.one()


def post(name: str, trailer: bytes, fields: str = "") -> bytes:
    return POST.format("1.1", name, fields).encode() + trailer + b"\r\n"


def test_of_a_request(site: Site, trailing: tuple[str, Origin]) -> None:
    """Section 6.5; RFC 9112, section 7.1.2: in their order, values untouched, several of one name."""
    name, origin = trailing
    origin.script = respond()
    data = post(name, b"X-Sum: 1\r\nGrpc-Status:0\r\nx-sum:\t\xe9 2 \r\nX-Empty:\r\n", "Trailer: X-Sum, Grpc-Status\r\n")
    with site.client() as client:
        for pieces in ([data], [bytes([b]) for b in data]):
            assert client.send(*pieces).response().status == 200
            assert origin.requests[-1].trailers == [("X-Sum", "1"), ("Grpc-Status", "0"), ("x-sum", "\xe9 2"), ("X-Empty", "")]
            assert origin.requests[-1].body == b"hello"
            assert origin.requests[-1].fields("trailer") == ["X-Sum, Grpc-Status"], "section 6.6.2: a hint that goes with them"
        assert client.get(name).status == 200


def test_of_a_response(site: Site, trailing: tuple[str, Origin]) -> None:
    """Section 6.5; RFC 9112, section 7.1.2: the same, the other way, announced or not."""
    name, origin = trailing
    origin.script = chunked(b"hello", trailer=b"X-Sum: 1\r\nGrpc-Status:0\r\nX-Sum: 2\r\n")
    with site.client() as client:
        for fields in (b"", b"TE: trailers\r\nConnection: TE\r\n"):
            response = client.get(name, extra=fields)
            assert (response.body, response.complete) == (b"hello", True)
            assert response.trailers == [("X-Sum", "1"), ("Grpc-Status", "0"), ("X-Sum", "2")]
    assert origin.connections == 1


def test_of_a_response_to_1_0_are_dropped(site: Site, trailing: tuple[str, Origin]) -> None:
    """Section 6.5.1: no chunked coding, no place for them; and never merged into the header section."""
    name, origin = trailing
    origin.script = chunked(b"hello", trailer=b"X-Sum: 1\r\n")
    with site.client() as client:
        response = client.send(f"GET / HTTP/1.0\r\nHost: {name}\r\n\r\n".encode()).response()
    assert (response.body, response.get("x-sum"), response.trailers) == (b"hello", None, [])


def test_of_an_answer_to_head_are_none(site: Site, trailing: tuple[str, Origin]) -> None:
    """RFC 9112, section 6.3, rule 1."""
    name, origin = trailing
    origin.script = respond(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n")
    with site.client() as client:
        for _ in range(2):
            assert client.get(name, method="HEAD").status == 200


@pytest.mark.parametrize("field", FORBIDDEN)
def test_a_field_that_frames_routes_or_authenticates_goes_no_further(site: Site, trailing: tuple[str, Origin], field: str) -> None:
    """Section 6.5.1: those whose meaning is needed before the content; a sender must not generate them, and we send."""
    name, origin = trailing
    value = "chunked" if field == "Transfer-Encoding" else "5"
    trailer = f"X-Before: 1\r\n{field}: {value}\r\nX-After: 2\r\n".encode()
    origin.script = chunked(b"hello", trailer=trailer)
    kept = [("X-Before", "1"), ("X-After", "2")]
    with site.client() as client:
        response = client.send(post(name, trailer, f"Trailer: X-Before, {field}\r\n")).response()
    assert origin.requests[-1].trailers == kept
    assert response.trailers == kept


BAD = {
    "obs-fold": b"X: a\r\n b\r\n",
    "space before the colon": b"X : a\r\n",
    "space before the name": b" X: a\r\n",
    "no colon": b"GET /smuggled HTTP/1.1\r\n",
    "no name": b": a\r\n",
    "NUL": b"X: a\0b\r\n",
    "bare LF": b"X: a\nY: b\r\n",
    "bare CR": b"X: a\rY: b\r\n",
    "no token": b"X(Y): a\r\n",
    "70 KB": b"X: " + b"a" * 70_000 + b"\r\n",
    "9,000 fields": b"X: a\r\n" * 9000,
}


@pytest.mark.parametrize("trailer", BAD.values(), ids=BAD.keys())
def test_a_bad_one_of_a_request_is_refused(site: Site, trailing: tuple[str, Origin], trailer: bytes) -> None:
    """RFC 9112, sections 5 and 7.1.2: 400 (431 for too many bytes), and the origin never sees the request end."""
    name, origin = trailing
    origin.script = respond()
    before = len(whole(origin))
    with site.client() as client:
        assert client.send(post(name, trailer)).response().status in (400, 431)
        assert client.closed()
    with site.client() as client:
        assert client.get(name).status == 200
    assert whole(origin)[before:].count(True) == 1


def whole(origin: Origin) -> list[bool]:
    return [each.whole for wire in origin.wire for each in requests(bytes(wire))]


@pytest.mark.parametrize("trailer", BAD.values(), ids=BAD.keys())
def test_a_bad_one_of_a_response_ends_it(site: Site, trailing: tuple[str, Origin], trailer: bytes) -> None:
    """RFC 9112, sections 7.1.2 and 8: 502, or an answer that is seen to be cut; the next one is another's connection."""
    name, origin = trailing
    origin.script = chunked(b"hello", trailer=trailer)
    with site.client() as client:
        client.send(f"GET / HTTP/1.1\r\nHost: {name}\r\n\r\n".encode())
        try:
            response = client.response()
            assert response.status == 502 or not response.complete
        except ConnectionError:
            pass
    origin.script = respond()
    with site.client() as client:
        assert client.get(name).body == b"ok"


def test_te_trailers_is_said_for_oneself_again(site: Site, trailing: tuple[str, Origin]) -> None:
    """RFC 9110, sections 6.5.1 and 10.1.4: trailers, and only that, asked for by the client and with TE in Connection."""
    name, origin = trailing
    origin.script = respond()
    with site.client() as client:
        for value, seen in (("trailers", ["trailers"]), ("gzip, trailers;q=0.5", ["trailers"]), ("gzip", []), ("trailersx", [])):
            client.get(name, extra=f"TE: {value}\r\nConnection: TE\r\n".encode())
            assert origin.requests[-1].fields("te") in (seen, [])
            if origin.requests[-1].fields("te"):
                assert "te" in [each.strip().lower() for each in ",".join(origin.requests[-1].fields("connection")).split(",")]


def test_what_connection_lists_goes_no_further_as_a_trailer_either(site: Site, trailing: tuple[str, Origin]) -> None:
    """Section 7.6.1: any header or trailer field with the name of a connection option must be removed."""
    name, origin = trailing
    answer = b"HTTP/1.1 200 OK\r\nConnection: X-Hop\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX-Hop: 1\r\nX-Kept: 2\r\n\r\n"
    origin.script = respond(answer)
    with site.client() as client:
        response = client.send(post(name, b"X-Hop: 1\r\nX-Kept: 2\r\n", "Connection: x-hop\r\n")).response()
    # those beside it may be dropped with it: a recipient may discard any trailer (section 6.5.1)
    assert {*origin.requests[-1].trailers, *response.trailers} <= {("X-Kept", "2")}
