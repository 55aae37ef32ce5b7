"""Responses that can't be framed safely: 502, their connection ends, and nobody else gets a byte of them (RFC 9112, sections 4 to 8)."""

from __future__ import annotations

import threading

import pytest

from tests.fakes.origin import Call, Origin, respond
from tests.fakes.worker import Site

OK = b"HTTP/1.1 200 OK\r\n"
POISON = b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison"


def head(*lines: bytes, body: bytes = b"") -> bytes:
    """A 200 with these field lines and what follows its head."""
    return OK + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


# The case names what is wrong; sections 2.2, 2.3, 4, 5, 6.1 and 6.3.
HEADS = {
    "length and chunked": head(b"Content-Length: 5", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    "chunked and length": head(b"Transfer-Encoding: chunked", b"Content-Length: 5", body=b"0\r\n\r\n"),
    "lengths that differ": head(b"Content-Length: 2", b"Content-Length: 3", body=b"abc"),
    "a list of lengths that differ": head(b"Content-Length: 2, 3", body=b"abc"),
    "plus": head(b"Content-Length: +3", body=b"abc"),
    "minus": head(b"Content-Length: -3", body=b"abc"),
    "hexadecimal": head(b"Content-Length: 0x3", body=b"abc"),
    "empty length": head(b"Content-Length:", body=b"abc"),
    "length with letters": head(b"Content-Length: 3x", body=b"abc"),
    "length of more than 64 bits": head(b"Content-Length: 18446744073709551619", body=b"abc"),
    "chunked not last": head(b"Transfer-Encoding: chunked, gzip", body=b"0\r\n\r\n"),
    "chunked twice": head(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    "unknown coding": head(b"Transfer-Encoding: cow, chunked", body=b"0\r\n\r\n"),
    "identity": head(b"Transfer-Encoding: identity", b"Content-Length: 3", body=b"abc"),
    "coding with a letter more": head(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n"),
    "coding behind a vertical tab": head(b"Transfer-Encoding:\x0bchunked", body=b"0\r\n\r\n"),
    "chunked in HTTP/1.0": b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "space before the colon": head(b"Content-Length : 3", body=b"abc"),
    "space before the name": head(b" Content-Length: 3", body=b"abc"),
    "obs-fold": head(b"X: a", b" b", b"Content-Length: 3", body=b"abc"),
    "bare CR": head(b"X: a\rSet-Cookie: evil", b"Content-Length: 3", body=b"abc"),
    "NUL": head(b"X: a\0b", b"Content-Length: 3", body=b"abc"),
    "no colon": head(b"nonsense", b"Content-Length: 3", body=b"abc"),
    "no name": head(b": x", b"Content-Length: 3", body=b"abc"),
    "bytes of no token in a name": head(b"X(Y): a", b"Content-Length: 3", body=b"abc"),
    "bare CR in the reason": b"HTTP/1.1 200 O\rK\r\nContent-Length: 3\r\n\r\nabc",
    "NUL in the reason": b"HTTP/1.1 200 O\0K\r\nContent-Length: 3\r\n\r\nabc",
    "two digits": b"HTTP/1.1 20 OK\r\nContent-Length: 3\r\n\r\nabc",
    "four digits": b"HTTP/1.1 2000 OK\r\nContent-Length: 3\r\n\r\nabc",
    "status 000": b"HTTP/1.1 000 OK\r\nContent-Length: 3\r\n\r\nabc",
    "signed status": b"HTTP/1.1 +20 OK\r\nContent-Length: 3\r\n\r\nabc",
    "two spaces before the status": b"HTTP/1.1  200 OK\r\nContent-Length: 3\r\n\r\nabc",
    "tab before the status": b"HTTP/1.1\t200 OK\r\nContent-Length: 3\r\n\r\nabc",
    "space before the version": b" HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    "lower case version": b"http/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    "HTTP/2.0": b"HTTP/2.0 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    "ICY": b"ICY 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    "no status line at all": b"<html>\r\n\r\n",
    "an empty line before the status line": b"\r\nHTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc",
    "a request": b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
}
CHUNKS = {
    "size of no digits": b"\r\nhello\r\n0\r\n\r\n",
    "size with 0x": b"0x5\r\nhello\r\n0\r\n\r\n",
    "size with a sign": b"-5\r\nhello\r\n0\r\n\r\n",
    "size before a space": b"5 \r\nhello\r\n0\r\n\r\n",
    "size of 65 bits": b"10000000000000005\r\nhello\r\n0\r\n\r\n",
    "size line ended by LF": b"5\nhello\r\n0\r\n\r\n",
    "data ended by LF": b"5\r\nhello\n0\r\n\r\n",
    "data longer than its size": b"5\r\nhello world\r\n0\r\n\r\n",
    "body ended by LF": b"5\r\nhello\r\n0\r\n\n",
    "extension with NUL": b"5;\0\r\nhello\r\n0\r\n\r\n",
}


@pytest.fixture(scope="module")
def bad(site: Site) -> tuple[str, Origin]:
    return site.one()


def assert_nobody_else_sees_it(site: Site, host: str, origin: Origin, connections: int) -> None:
    """The next exchange has its own answer, on a connection of its own."""
    origin.script = respond()
    with site.client() as client:
        assert [client.get(host).body for _ in range(2)] == [b"ok"] * 2
    assert origin.connections == connections + 1


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
@pytest.mark.parametrize("answer", HEADS.values(), ids=HEADS.keys())
def test_a_head_that_breaks_the_rules_is_502(site: Site, bad: tuple[str, Origin], answer: bytes, method: str) -> None:
    """RFC 9110, section 15.6.3; RFC 9209, section 2.3: an error of the next hop's making."""
    host, origin = bad
    origin.script = respond(answer + POISON)
    with site.client() as client:
        response = client.get(host, method=method)
        assert response.status == 502
        assert "http_" in (response.get("proxy-status") or "")
        assert all(b"Set-Cookie" not in value.encode() for _, value in response.fields)
        connections = origin.connections
        assert_nobody_else_sees_it(site, host, origin, connections)
        assert client.get(host).body == b"ok", "the client's connection goes on: nothing of it is in doubt"


@pytest.mark.parametrize("cut", [False, True], ids=["with the head", "behind the head"])
@pytest.mark.parametrize("chunks", CHUNKS.values(), ids=CHUNKS.keys())
def test_bad_chunks_end_both_connections(site: Site, bad: tuple[str, Origin], chunks: bytes, cut: bool) -> None:
    """RFC 9112, sections 7.1 and 8: 502 where no byte has gone down, else an answer that any client sees is not whole."""
    host, origin = bad

    async def script(call: Call) -> None:
        await respond(head(b"Transfer-Encoding: chunked", body=b"3\r\nabc\r\n"[: 8 if cut else 0]))(call)
        await call.send(chunks + POISON)

    origin.script = script
    with site.client() as client:
        client.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
        try:
            response = client.response()
            assert b"poison" not in response.body
            assert response.status == 502 or (not response.complete and client.closed())
        except ConnectionError:
            pass
    assert_nobody_else_sees_it(site, host, origin, origin.connections)


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("chunks", CHUNKS.values(), ids=CHUNKS.keys())
@pytest.mark.parametrize(
    "before", [b"", b"3\r\nabc\r\n", b"2000\r\n" + b"x" * 0x2000 + b"\r\n"], ids=["first", "second", "behind a long one"]
)
def test_bad_chunks_in_the_piece_of_their_head_are_502(
    site: Site, bad: tuple[str, Origin], chunks: bytes, before: bytes, method: str
) -> None:
    """RFC 9110, section 15.6.3; RFC 9209, section 2.3: no byte of that response has gone down, so there still is an answer to give."""
    host, origin = bad
    origin.script = respond(head(b"Transfer-Encoding: chunked", body=before + chunks + POISON))
    with site.client() as client:
        response = client.get(host, method=method)
        assert response.status == 502
        assert "error=http_response_transfer_coding" in (response.get("proxy-status") or "")
        assert b"hello" not in response.body
        assert_nobody_else_sees_it(site, host, origin, origin.connections)
        assert client.get(host).body == b"ok", "the client's connection goes on"


def test_a_bad_trailer_in_the_piece_of_its_head_is_502(site: Site, bad: tuple[str, Origin]) -> None:
    """RFC 9112, section 7.1.2."""
    host, origin = bad
    origin.script = respond(b"HTTP/1.1 103 Hints\r\n\r\n" + head(b"Transfer-Encoding: chunked", body=b"2\r\nok\r\n0\r\nX : a\r\n\r\n"))
    with site.client() as client:
        response = client.get(host)
        assert (response.status, [each.status for each in response.interim]) == (502, [103])


EXTRA = {
    "behind a length": head(b"Content-Length: 2", body=b"ok"),
    "behind chunks": head(b"Transfer-Encoding: chunked", body=b"2\r\nok\r\n0\r\n\r\n"),
    "behind an empty body": head(b"Content-Length: 0"),
    "behind 204": b"HTTP/1.1 204 None\r\n\r\n",
    "behind 204 with a length": b"HTTP/1.1 204 None\r\nContent-Length: 6\r\n\r\n",
    "behind 204 with chunked": b"HTTP/1.1 204 None\r\nTransfer-Encoding: chunked\r\n\r\n",
    "behind 304 with a length": b"HTTP/1.1 304 Same\r\nContent-Length: 6\r\n\r\n",
}


@pytest.mark.parametrize("late", [False, True], ids=["at once", "in a segment of their own"])
@pytest.mark.parametrize("answer", EXTRA.values(), ids=EXTRA.keys())
def test_bytes_behind_a_response_end_its_connection(site: Site, bad: tuple[str, Origin], answer: bytes, late: bool) -> None:
    """RFC 9112, sections 6.3 and 9.2: what nobody asked for is nobody's answer."""
    host, origin = bad
    sent = threading.Semaphore(0)

    async def script(call: Call) -> None:
        await respond(answer if late else answer + POISON)(call)
        if late:
            await call.send(POISON)
        sent.release()

    origin.script = script
    with site.client() as client, site.client() as other:
        for _ in range(3):
            for each in (client, other):
                response = each.get(host)
                assert sent.acquire(timeout=5), "a poison sent behind the next request could not be told from its answer"
                assert response.status == int(answer.split()[1])
                assert b"poison" not in response.body
                assert response.get("content-length") in (None, "0", "2") or response.status == 304
                assert response.get("content-length") is None or response.status != 204
    origin.script = respond()
    with site.client() as client:
        assert [client.get(host).body for _ in range(3)] == [b"ok"] * 3


def test_a_body_behind_an_answer_to_head_is_nobodys_answer(site: Site, bad: tuple[str, Origin]) -> None:
    """RFC 9112, section 6.3, rule 1: an origin that sends one all the same is not trusted with another request."""
    host, origin = bad
    origin.script = respond(head(b"Content-Length: %d" % len(POISON), body=POISON))
    with site.client() as client:
        for _ in range(3):
            assert client.get(host, method="HEAD").status == 200
    assert_nobody_else_sees_it(site, host, origin, origin.connections)


FINE = {
    "no reason": (b"HTTP/1.1 200 \r\nContent-Length: 2\r\n\r\nok", 200),
    "no space before no reason": (b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\nok", 200),
    "reason in Latin-1": (b"HTTP/1.1 200 O\xe9\tK\r\nContent-Length: 2\r\n\r\nok", 200),
    "status of no registry": (b"HTTP/1.1 299 Own\r\nContent-Length: 2\r\n\r\nok", 299),
    "status 599": (b"HTTP/1.1 599 Own\r\nContent-Length: 2\r\n\r\nok", 599),
    "length with zeros": (b"HTTP/1.1 200 OK\r\nContent-Length: 00002\r\n\r\nok", 200),
    "blanks around the length": (b"HTTP/1.1 200 OK\r\nContent-Length: \t2 \t\r\n\r\nok", 200),
    "coding in capitals": (b"HTTP/1.1 200 OK\r\nTRANSFER-ENCODING: CHUNKED\r\n\r\n002;x=y\r\nok\r\n00\r\n\r\n", 200),
    "minor version 9": (b"HTTP/1.9 200 OK\r\nContent-Length: 2\r\n\r\nok", 200),
}


@pytest.mark.parametrize(("answer", "status"), FINE.values(), ids=FINE.keys())
def test_what_is_odd_but_legal_passes_in_normal_form(site: Site, bad: tuple[str, Origin], answer: bytes, status: int) -> None:
    """RFC 9112, sections 4 and 5; RFC 9110, section 15: unknown statuses are those of their class."""
    host, origin = bad
    origin.script = respond(answer)
    with site.client() as client:
        for _ in range(2):
            client.send(f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode())
            response = client.response()
            assert (response.version, response.status, response.body) == ("HTTP/1.1", status, b"ok")
            assert response.get("content-length") in (None, "2")
