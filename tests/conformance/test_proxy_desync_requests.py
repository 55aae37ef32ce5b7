"""Requests that two servers could read in two ways: refused, or sent on in one normal form (RFC 9112, sections 2, 5, 6, 7, 11.2).

Judged by the bytes on the origin's wire alone: for each case it saw nothing, or exactly one normal request.
"""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.fakes.normal import Normal, requests
from tests.fakes.origin import Origin
from tests.fakes.worker import Site

HOST = b"Host: HOST\r\n"
POST = b"POST / HTTP/1.1\r\n" + HOST
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
SMUGGLED = b"GET /smuggled HTTP/1.1\r\n" + HOST + b"\r\n"
FIVE = b"5\r\nhello\r\n"


def fields(*lines: bytes, body: bytes = b"") -> bytes:
    """A POST with these field lines and what follows its head."""
    return POST + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


# Two ways to find the body's end: RFC 9112, sections 6.1 and 6.3; RFC 9110, section 8.6.
FRAMING = {
    "CL.TE": fields(b"Content-Length: 6", b"Transfer-Encoding: chunked", body=b"0\r\n\r\nG"),
    "TE.CL": fields(b"Transfer-Encoding: chunked", b"Content-Length: 4", body=b"5c\r\n" + SMUGGLED),
    "lengths that differ": fields(b"Content-Length: 0", b"Content-Length: 42", body=SMUGGLED),
    "lengths that agree": fields(b"Content-Length: 5", b"Content-Length: 5", body=b"hello"),
    "a list of lengths": fields(b"Content-Length: 5, 5", body=b"hello"),
    "a list of lengths that differ": fields(b"Content-Length: 0, 42", body=SMUGGLED),
    "plus": fields(b"Content-Length: +5", body=b"hello"),
    "minus": fields(b"Content-Length: -5", body=b"hello"),
    "minus zero": fields(b"Content-Length: -0"),
    "hexadecimal": fields(b"Content-Length: 0x5", body=b"hello"),
    "underscore": fields(b"Content-Length: 1_0", body=b"hello"),
    "fraction": fields(b"Content-Length: 5.0", body=b"hello"),
    "exponent": fields(b"Content-Length: 5e0", body=b"hello"),
    "quotes": fields(b'Content-Length: "5"', body=b"hello"),
    "space within": fields(b"Content-Length: 1 0", body=b"hello"),
    "nothing": fields(b"Content-Length:", body=b"hello"),
    "blanks alone": fields(b"Content-Length: \t ", body=b"hello"),
    "more than 64 bits": fields(b"Content-Length: 18446744073709551621", body=b"hello"),
    "more than 63 bits": fields(b"Content-Length: 9223372036854775813", body=b"hello"),
    "form feed": fields(b"Content-Length: 5\x0c", body=b"hello"),
    "vertical tab": fields(b"Content-Length:\x0b5", body=b"hello"),
    "digits of another script": fields("Content-Length: \u0665".encode(), body=b"hello"),
    "chunked not last": fields(b"Transfer-Encoding: chunked, identity", body=b"0\r\n\r\n"),
    "chunked twice": fields(b"Transfer-Encoding: chunked, chunked", body=b"0\r\n\r\n"),
    "chunked in two fields": fields(b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    "chunked, then identity": fields(b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity", body=b"0\r\n\r\n"),
    "identity, then chunked": fields(b"Transfer-Encoding: identity", b"Transfer-Encoding: chunked", body=b"0\r\n\r\n"),
    "identity": fields(b"Transfer-Encoding: identity", b"Content-Length: 5", body=b"hello"),
    "no coding": fields(b"Transfer-Encoding:", body=b"0\r\n\r\n"),
    "no coding and a length": fields(b"Transfer-Encoding:", b"Content-Length: 5", body=b"hello"),
    "coding in quotes": fields(b'Transfer-Encoding: "chunked"', body=b"0\r\n\r\n"),
    "coding with a letter more": fields(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n"),
    "coding with a parameter": fields(b"Transfer-Encoding: chunked;q=1", body=b"0\r\n\r\n"),
    "coding in a bare CR's list": fields(b"Transfer-Encoding: chunked,\r", body=b"0\r\n\r\n"),
    "coding behind a vertical tab": fields(b"Transfer-Encoding:\x0bchunked", body=b"0\r\n\r\n"),
    "coding before NUL": fields(b"Transfer-Encoding: chunked\0", body=b"0\r\n\r\n"),
    "coding before a bare CR": fields(b"Transfer-Encoding: chunked\r", body=b"0\r\n\r\n"),
    "coding with Kelvin sign": fields("Transfer-Encoding: chun\u212aed".encode(), body=b"0\r\n\r\n"),
    "HTTP/1.0 with both": b"POST / HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
}
UNKNOWN = {
    "gzip": fields(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"),
    "cow": fields(b"Transfer-Encoding: cow, chunked", body=b"0\r\n\r\n"),
}
# Field lines that end, begin or are cut elsewhere for others: sections 2.2, 5.1, 5.2; RFC 9110, sections 5.1 and 5.5.
LINES = {
    "space before the colon": fields(b"Content-Length : 5", body=b"hello"),
    "tab before the colon": fields(b"Transfer-Encoding\t: chunked", body=b"0\r\n\r\n"),
    "space before the name": fields(b" Content-Length: 5", body=b"hello"),
    "obs-fold": fields(b"Transfer-Encoding:", b" chunked", body=b"0\r\n\r\n"),
    "obs-fold with a tab": fields(b"X: a", b"\tTransfer-Encoding: chunked", body=b"0\r\n\r\n"),
    "bare LF between fields": fields(b"X: a\nTransfer-Encoding: chunked", body=b"0\r\n\r\n"),
    "bare LF ends the head": POST + b"X: a\n\n" + SMUGGLED,
    "LF CR LF ends the head": POST + b"X: a\n\r\n" + SMUGGLED,
    "bare LF after the request line": b"POST / HTTP/1.1\n" + HOST + b"\r\n",
    "bare CR between fields": fields(b"X: a\rTransfer-Encoding: chunked", body=b"0\r\n\r\n"),
    "two CRs before LF": POST + b"X: a\r\r\n\r\n",
    "bare CR in a name": fields(b"X\rContent-Length: 5", body=b"hello"),
    "bare CR in the target": b"GET /a\rb HTTP/1.1\r\n" + HOST + b"\r\n",
    "bare CR after the version": b"GET / HTTP/1.1\r\r\n" + HOST + b"\r\n",
    "NUL in a name": fields(b"Content\0-Length: 5", body=b"hello"),
    "NUL in a value": fields(b"X: a\0b"),
    "NUL in the target": b"GET /a\0b HTTP/1.1\r\n" + HOST + b"\r\n",
    "NUL in the method": b"GE\0T / HTTP/1.1\r\n" + HOST + b"\r\n",
    "DEL in a value": fields(b"X: a\x7fb"),
    "escape in a value": fields(b"X: a\x1b[2J"),
    "no colon": fields(b"Content-Length"),
    "no name": fields(b": 5"),
    "tab between the parts of the line": b"GET\t/\tHTTP/1.1\r\n" + HOST + b"\r\n",
    "two spaces before the target": b"GET  / HTTP/1.1\r\n" + HOST + b"\r\n",
    "two spaces before the version": b"GET /  HTTP/1.1\r\n" + HOST + b"\r\n",
    "space after the version": b"GET / HTTP/1.1 \r\n" + HOST + b"\r\n",
    "space before the method": b" GET / HTTP/1.1\r\n" + HOST + b"\r\n",
    "a second request line": b"GET / HTTP/1.1\r\nGET / HTTP/1.1\r\n" + HOST + b"\r\n",
    "no version": b"GET /\r\n" + HOST + b"\r\n",
} | {f"byte {byte:#x} in a name": fields(b"X%cY: a" % byte) for byte in b'\x01\t\x0b\x0c"(),/;<=>?@[\\]{}\x7f\x80\xff '}
HOSTS = {
    "none": b"GET / HTTP/1.1\r\n\r\n",
    "two that agree": b"GET / HTTP/1.1\r\n" + HOST + HOST + b"\r\n",
    "two that differ": b"GET / HTTP/1.1\r\n" + HOST + b"Host: other\r\n\r\n",
    "two in two cases": b"GET / HTTP/1.1\r\n" + HOST + b"hOST: other\r\n\r\n",
    "a list": b"GET / HTTP/1.1\r\nHost: HOST, other\r\n\r\n",
    "two with a space": b"GET / HTTP/1.1\r\nHost: HOST other\r\n\r\n",
    "with a path": b"GET / HTTP/1.1\r\nHost: HOST/x\r\n\r\n",
    "with a user": b"GET / HTTP/1.1\r\nHost: user@HOST\r\n\r\n",
    "with a scheme": b"GET / HTTP/1.1\r\nHost: http://HOST\r\n\r\n",
    "with two ports": b"GET / HTTP/1.1\r\nHost: HOST:80:80\r\n\r\n",
    "with a port of letters": b"GET / HTTP/1.1\r\nHost: HOST:x\r\n\r\n",
    "with a fragment": b"GET / HTTP/1.1\r\nHost: HOST#x\r\n\r\n",
    "with a space before the colon": b"GET / HTTP/1.1\r\nHost : HOST\r\n\r\n",
}
# Chunks: section 7.1.
CHUNKS = {
    "size of no digits": b"\r\nhello\r\n0\r\n\r\n",
    "size in decimal letters": b"g\r\nhello\r\n0\r\n\r\n",
    "size with 0x": b"0x5\r\nhello\r\n0\r\n\r\n",
    "size with a sign": b"+5\r\nhello\r\n0\r\n\r\n",
    "size that is negative": b"-5\r\nhello\r\n0\r\n\r\n",
    "size before a space": b"5 \r\nhello\r\n0\r\n\r\n",
    "size behind a space": b" 5\r\nhello\r\n0\r\n\r\n",
    "size behind a tab": b"\t5\r\nhello\r\n0\r\n\r\n",
    "size with an underscore": b"0_5\r\nhello\r\n0\r\n\r\n",
    "size of 65 bits": b"10000000000000005\r\nhello\r\n0\r\n\r\n",
    "size of 64 bits": b"fffffffffffffff5\r\nhello\r\n0\r\n\r\n",
    "zeros of 70 KB": b"0" * 70_000 + b"5\r\nhello\r\n0\r\n\r\n",
    "size line ended by LF": b"5\nhello\r\n0\r\n\r\n",
    "size line ended by CR": b"5\rhello\r\n0\r\n\r\n",
    "size line with NUL": b"5\0\r\nhello\r\n0\r\n\r\n",
    "data ended by LF": b"5\r\nhello\n0\r\n\r\n",
    "data ended by CR": b"5\r\nhello\r0\r\n\r\n",
    "data ended by nothing": b"5\r\nhello0\r\n\r\n",
    "data longer than its size": b"5\r\nhello world\r\n0\r\n\r\n",
    "last chunk ended by LF": b"5\r\nhello\r\n0\n\r\n",
    "body ended by LF": b"5\r\nhello\r\n0\r\n\n",
    "extension with bare LF": b"5;a\nhello\r\n0\r\n\r\n",
    "extension with bare CR": b"5;a\rb\r\nhello\r\n0\r\n\r\n",
    "extension with NUL": b"5;a=\0\r\nhello\r\n0\r\n\r\n",
    "extension of 70 KB": b"5;" + b"a" * 70_000 + b"\r\nhello\r\n0\r\n\r\n",
    "extensions of 70 KB in all": b"".join(b"1;%b\r\nx\r\n" % (b"a" * 1000) for _ in range(70)) + b"0\r\n\r\n",
    "trailer with bare LF": FIVE + b"0\r\nX: a\nY: b\r\n\r\n",
    "trailer with bare CR": FIVE + b"0\r\nX: a\rb\r\n\r\n",
    "trailer with NUL": FIVE + b"0\r\nX: a\0b\r\n\r\n",
    "trailer without colon": FIVE + b"0\r\nGET /smuggled HTTP/1.1\r\n\r\n",
    "trailer with a space before its colon": FIVE + b"0\r\nX : a\r\n\r\n",
    "trailer folded": FIVE + b"0\r\nX: a\r\n b\r\n\r\n",
    "trailers of 70 KB": FIVE + b"0\r\nX: " + b"a" * 70_000 + b"\r\n\r\n",
}


@dataclass
class Judge:
    """The one service that all cases attack."""

    site: Site
    host: str
    origin: Origin

    def attack(self, data: bytes) -> tuple[int, bool, list[Normal]]:
        """(status, whether the connection ended behind the answer, what the origin saw of it): one request at most, in normal form."""
        before = self.seen()
        with self.site.client() as client:
            response = client.send(data.replace(b"HOST", self.host.encode())).response()
            closed = response.get("connection") == "close" and client.closed()
        with self.site.client() as client:
            assert client.get(self.host, "/after").body == b"ok", "the next client is served as if nothing had been"
        new = self.seen()[len(before) :]
        assert new.pop().line == b"GET /after HTTP/1.1"
        assert len(new) <= 1
        assert not any(b"smuggled" in each.line for each in new)
        return response.status, closed, new

    def seen(self) -> list[Normal]:
        """Every request on the origin's wires, the order of connections kept."""
        return [each for wire in self.origin.wire for each in requests(bytes(wire))]


@pytest.fixture(scope="module")
def judge(site: Site) -> Judge:
    host, origin = site.one()
    return Judge(site, host, origin)


@pytest.mark.parametrize("data", [pytest.param(data, id=f"{group}: {name}") for group, cases in (
    ("framing", FRAMING), ("line", LINES), ("host", HOSTS)) for name, data in cases.items()])  # fmt: skip
def test_a_head_of_two_meanings_is_400_and_the_origin_sees_nothing(judge: Judge, data: bytes) -> None:
    """RFC 9112, sections 2.2, 3.2, 5.1, 5.2, 6.1 and 6.3: 400, and the connection is closed behind it."""
    status, closed, seen = judge.attack(data)
    assert status in (400, 501)
    assert closed
    assert seen == []


@pytest.mark.parametrize("data", UNKNOWN.values(), ids=UNKNOWN.keys())
def test_an_unknown_coding_is_501(judge: Judge, data: bytes) -> None:
    """RFC 9112, section 6.1: a transfer coding that the server does not understand."""
    assert judge.attack(data) == (501, True, [])


FINE = {
    "sizes in both cases": (b"A\r\n0123456789\r\na\r\n0123456789\r\n0\r\n\r\n", b"0123456789" * 2),
    "leading zeros": (b"0005\r\nhello\r\n000\r\n\r\n", b"hello"),
    "size of 33 digits": (b"0" * 32 + b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
    "extensions": (b'5;a;b=c;d="e;\xe9"\r\nhello\r\n0;last\r\n\r\n', b"hello"),
    "an extension of 4000 bytes": (b"5;" + b"a" * 4000 + b"\r\nhello\r\n0\r\n\r\n", b"hello"),
    "nothing": (b"0\r\n\r\n", b""),
    "a thousand chunks of one byte": (b"1\r\nx\r\n" * 1000 + b"0\r\n\r\n", b"x" * 1000),
    "a trailer": (FIVE + b"0\r\nX-Sum: 1\r\n\r\n", b"hello"),
}


@pytest.mark.parametrize(("data", "body"), FINE.values(), ids=FINE.keys())
def test_good_chunks_go_on_in_normal_form(judge: Judge, data: bytes, body: bytes) -> None:
    """RFC 9112, sections 7.1 and 7.1.1: unknown extensions are ignored, and never passed on as they came."""
    status, closed, (seen,) = judge.attack(CHUNKED + data)
    assert (status, closed) == (200, False)
    assert (seen.body, seen.whole) == (body, True)
    assert seen.all(b"transfer-encoding") == [b"chunked"]


ODD = {
    "case of the coding": fields(b"tRANSFER-eNCODING: cHuNkEd", body=FIVE + b"0\r\n\r\n"),
    "no space after the colon": fields(b"Content-Length:5", body=b"hello"),
    "blanks around": fields(b"Content-Length: \t 5 \t", body=b"hello"),
    "leading zeros": fields(b"Content-Length: 0000000005", body=b"hello"),
    "blanks around the coding": fields(b"Transfer-Encoding:\tchunked \t", body=FIVE + b"0\r\n\r\n"),
}


@pytest.mark.parametrize("data", ODD.values(), ids=ODD.keys())
def test_what_is_odd_but_legal_goes_on_in_normal_form(judge: Judge, data: bytes) -> None:
    """RFC 9112, section 5: blanks around a value are no part of it; RFC 9110, sections 5.1 and 8.6."""
    status, _, (seen,) = judge.attack(data)
    assert (status, seen.body, seen.whole) == (200, b"hello", True)


@pytest.mark.parametrize("name", ["Content-Length", "Transfer-Encoding", "Host", "content-length"])
def test_connection_can_not_take_the_framing_away(judge: Judge, name: str) -> None:
    """RFC 9110, section 7.6.1; RFC 9112, section 6: the framing that goes on is that of the message that came."""
    framing, body = (b"Transfer-Encoding: chunked", FIVE + b"0\r\n\r\n") if name[0] == "T" else (b"Content-Length: 5", b"hello")
    _, _, (seen,) = judge.attack(fields(framing, b"Connection: " + name.encode(), body=body))
    assert (seen.body, seen.all(b"host")) == (b"hello", [judge.host.encode()])


@pytest.mark.parametrize("data", CHUNKS.values(), ids=CHUNKS.keys())
def test_bad_chunks_are_400_and_never_a_whole_body(judge: Judge, data: bytes) -> None:
    """RFC 9112, sections 7.1 and 8: what the origin has of it ends before its last chunk."""
    status, closed, seen = judge.attack(CHUNKED + data + SMUGGLED)
    assert (status, closed) == (400, True)
    assert not any(each.whole for each in seen)
