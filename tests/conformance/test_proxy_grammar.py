"""What the grammar allows is served, what it does not is refused with its reason (RFC 3986; RFC 9110, 5.6; RFC 9112, 2.2, 3, 6 and 7)."""

from __future__ import annotations

import hashlib
import re

import pytest

from tests.fakes.client import Response
from tests.fakes.normal import requests
from tests.fakes.origin import Origin, respond
from tests.fakes.worker import Site

CHUNKED = b"POST / HTTP/1.1\r\nHost: HOST\r\nTransfer-Encoding: chunked\r\n\r\n"
GET = b"GET / HTTP/1.1\r\nHost: HOST\r\n"


@pytest.fixture(scope="module")
def one(site: Site) -> tuple[str, Origin]:
    return site.one()


def ask(site: Site, one: tuple[str, Origin], data: bytes) -> Response:
    with site.client() as client:
        return client.send(data.replace(b"HOST", one[0].encode())).response()


def details(response: Response) -> str:
    """What Proxy-Status says of the reason (RFC 9209, section 2.1.4)."""
    found = re.search(r'details="([^"]*)"', response.get("proxy-status") or "")
    assert found
    return found[1]


def seen(origin: Origin) -> bytes:
    """The body of the request that the origin saw last."""
    return [each.body for wire in origin.wire for each in requests(bytes(wire))][-1]


SIZES = {
    "a space before an extension": b"5 ;a\r\nhello\r\n0\r\n\r\n",
    "white space around all parts of extensions": b'5\t ; a = "b" ;c\r\nhello\r\n0 ;d\r\n\r\n',
    "fifteen zeros before the size": b"0" * 15 + b"5\r\nhello\r\n" + b"0" * 16 + b"\r\n\r\n",
    "a thousand zeros before the size": b"0" * 1000 + b"5\r\nhello\r\n" + b"0" * 1000 + b"\r\n\r\n",
}


@pytest.mark.parametrize("data", SIZES.values(), ids=SIZES.keys())
def test_a_chunk_size_of_any_legal_spelling_is_read(site: Site, one: tuple[str, Origin], data: bytes) -> None:
    """RFC 9112, section 7.1: 1*HEXDIG; 7.1.1: BWS around the semicolon, which a recipient must parse (RFC 9110, section 5.6.3)."""
    assert ask(site, one, CHUNKED + data).status == 200
    assert seen(one[1]) == b"hello"


def signed(size: int, count: int) -> bytes:
    """A body as S3's clients sign it: every chunk has its signature in an extension."""
    chunks = []
    for number in range(count):
        signature = hashlib.sha256(b"%d" % number).hexdigest().encode()
        chunks.append(b"%x;chunk-signature=%b\r\n%b\r\n" % (size, signature, b"x" * size))
    return b"".join(chunks) + b"0;chunk-signature=" + b"0" * 64 + b"\r\n\r\n"


@pytest.mark.parametrize(("size", "count"), [(8192, 1000), (64, 5000), (1, 5000)])
def test_a_body_of_signed_chunks_goes_through_whatever_its_length(site: Site, one: tuple[str, Origin], size: int, count: int) -> None:
    """RFC 9112, section 7.1.1: a limit for extensions is there against those without end, not against long bodies."""
    assert ask(site, one, CHUNKED + signed(size, count)).status == 200
    assert seen(one[1]) == b"x" * size * count


def test_a_response_of_signed_chunks_goes_through(site: Site) -> None:
    """The same the other way."""
    host, _ = site.one(respond(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + signed(64, 5000)))
    with site.client() as client:
        response = client.get(host)
    assert (response.complete, len(response.body)) == (True, 64 * 5000)


LISTS = {
    "a comma behind": b"Transfer-Encoding: chunked,\r\n",
    "commas around": b"Transfer-Encoding: , ,\tchunked , ,\r\n",
    "a field that is empty": b"Transfer-Encoding: chunked\r\nTransfer-Encoding:\r\n",
    "two fields, of which one is a comma": b"Transfer-Encoding: ,\r\nTransfer-Encoding: chunked\r\n",
}


@pytest.mark.parametrize("field", LISTS.values(), ids=LISTS.keys())
def test_empty_elements_of_a_list_of_codings_are_none(site: Site, one: tuple[str, Origin], field: bytes) -> None:
    """RFC 9110, section 5.6.1.2: a recipient must parse and ignore them; RFC 9112, section 6.1."""
    assert ask(site, one, CHUNKED.replace(b"Transfer-Encoding: chunked\r\n", field) + b"5\r\nhello\r\n0\r\n\r\n").status == 200
    assert seen(one[1]) == b"hello"


CODINGS = {
    "chunked, chunked": (400, "chunked appears twice"),
    "chunked,,chunked": (400, "chunked appears twice"),
    "gzip, chunked, chunked": (400, "chunked appears twice"),
    "chunked\r\nTransfer-Encoding: chunked": (400, "chunked appears twice"),
    "chunked, gzip, chunked": (400, "chunked is not the last coding"),
    "xchunked": (400, "chunked is not the last coding"),
    "chunked;a=b": (400, "chunked is not the last coding"),
    "": (400, "chunked is not the last coding"),
    ",": (400, "chunked is not the last coding"),
    "gzip\r\nTransfer-Encoding: chunked": (501, "has an unknown coding"),
    "identity, chunked": (501, "has an unknown coding"),
}


@pytest.mark.parametrize(("value", "expected"), CODINGS.items(), ids=[repr(value) for value in CODINGS])
def test_codings_are_judged_as_one_list(site: Site, one: tuple[str, Origin], value: str, expected: tuple[int, str]) -> None:
    """RFC 9112, sections 6.1 and 6.3: 501 for a coding below chunked that is not known, else 400; several fields are one list."""
    response = ask(site, one, CHUNKED.replace(b"chunked\r\n", value.encode() + b"\r\n") + b"0\r\n\r\n")
    assert response.status == expected[0]
    assert expected[1] in details(response)


def test_a_length_may_begin_with_any_number_of_zeros(site: Site, one: tuple[str, Origin]) -> None:
    """RFC 9110, section 8.6: 1*DIGIT."""
    assert ask(site, one, b"POST / HTTP/1.1\r\nHost: HOST\r\nContent-Length: " + b"0" * 40 + b"5\r\n\r\nhello").status == 200
    assert seen(one[1]) == b"hello"


@pytest.mark.parametrize("value", [b"trailers", b", trailers,", b"gzip;q=0.5, Trailers"])
def test_te_is_a_list(site: Site, one: tuple[str, Origin], value: bytes) -> None:
    """RFC 9110, sections 5.6.1 and 10.1.4: who wants trailers says so beside other codings, which end here."""
    ask(site, one, GET + b"TE: " + value + b"\r\nConnection: te\r\n\r\n")
    assert one[1].requests[-1].fields("te") == ["trailers"]


# RFC 3986, section 3.2.2, and the port of 3.2.3
GOOD_HOSTS = [
    "under_score.example", "tilde~.example", "a!$&'()*+,;=b", "%41bc.example", "a%2Fb", "-", "a..b", "a:", "a:00080", "a:99999999",
    "999.1.1.1", "1.2.3", "127.1", "127.0.0.01", "0x7f.0.0.1", "2130706433", "1.2.3.4.5", "...", ".", "*.example", "x" * 300,
    "[v1.fe:1]", "[VF.a!b]:80", "com.",
]  # fmt: skip
BAD_HOSTS = [
    "a b", "a/b", "a\\b", "a@b", "u:p@a", "a?b", "a#b", "a|b", 'a"b', "a<b", "a^b", "a`b", "a{b}", "a%", "a%4", "a%zz", "a%00%g0",
    "a:b", "a:-1", "a:80:80", "a: 80", "a[", "a]", "[::1",
    "[]", "[:]", "[:::]", "[::1]x", "[::1]:x", "[1::2::3]", "[12345::]", "[1:2:3:4:5:6:7]", "[g::]",
    "[127.0.0.1]", "[localhost]", "[::1%25lo]", "[::1%lo]", "[v.a]", "[v1.]", "[vg.a]", "[v1.a/b]", "[v1a]", "haystack/x",
    "localhost@x", "\xe9", "127.0.0.1/", "127.0.0.1 ,x", "[::127.0.0.256]", "[::01.2.3.4]",
]  # fmt: skip


@pytest.mark.parametrize("absolute", [False, True], ids=["Host", "target"])
@pytest.mark.parametrize("host", GOOD_HOSTS)
def test_a_host_that_nobody_has_is_404_whatever_its_spelling(site: Site, host: str, absolute: bool) -> None:
    """RFC 3986, section 3.2.2: legal names, though no DNS has them; and none of them is plainly Haystack itself."""
    with site.client() as client:
        response = client.get(*(("x", f"http://{host}/healthz") if absolute else (host, "/healthz")))
        assert response.status == 404
        assert client.get(host, "/healthz").status == 404, "the connection goes on"


@pytest.mark.parametrize("host", BAD_HOSTS)
def test_a_host_against_the_grammar_is_400_and_leads_nowhere(site: Site, host: str) -> None:
    """RFC 9112, section 3.2: an invalid field value is 400; nothing of it is taken for an address of Haystack itself."""
    with site.client() as client:
        response = client.send(b"GET /healthz HTTP/1.1\r\nHost: " + host.encode("latin-1") + b"\r\n\r\n").response()
        assert response.status == 400
        assert details(response).startswith("Host ")
        assert client.closed()


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "127.0.0.1:", "127.0.0.1.", "10.255.0.9:80", "[::1]", "[::]:80", "[FE80::1:2]", "[::ffff:1.2.3.4]"]
)
def test_an_address_is_haystack_itself(site: Site, host: str) -> None:
    """Product: an IP address as Host is plainly Haystack itself, in every spelling that RFC 3986 has for it."""
    with site.client() as client:
        assert client.get(host, "/healthz").status == 200


@pytest.mark.parametrize("byte", [0x7F, 0x80, 0xA0, 0xC3, 0xFF])
@pytest.mark.parametrize("target", [b"/%b", b"/a?%b", b"http://HOST/%b", b"/%bx"])
def test_a_byte_of_no_ascii_in_a_target_is_400(site: Site, one: tuple[str, Origin], target: bytes, byte: int) -> None:
    """RFC 9112, section 3.2, and RFC 3986, section 2: what is no ASCII is percent-encoded."""
    response = ask(site, one, b"GET " + target % bytes([byte]) + b" HTTP/1.1\r\nHost: HOST\r\n\r\n")
    assert response.status == 400
    assert "target" in details(response)


@pytest.mark.parametrize("count", [127, 128, 129, 1000])
def test_a_response_may_have_many_fields(site: Site, count: int) -> None:
    """As nginx takes them, which counts bytes alone."""
    lines = b"".join(b"X-%d: %d\r\n" % (n, n) for n in range(count))
    host, _ = site.one(respond(b"HTTP/1.1 200 OK\r\n" + lines + b"Content-Length: 2\r\n\r\nok"))
    with site.client() as client:
        for _ in range(2):
            response = client.get(host)
            assert (response.status, response.body) == (200, b"ok")
            assert [response.get(f"x-{n}") for n in range(count)] == [str(n) for n in range(count)]


LF = {
    "all lines": b"HTTP/1.1 200 OK\nX: a\nContent-Length: 2\n\nok",
    "the status line": b"HTTP/1.1 200 OK\nX: a\r\nContent-Length: 2\r\n\r\nok",
    "a status line without reason": b"HTTP/1.1 200\nX: a\r\nContent-Length: 2\r\n\r\nok",
    "a field": b"HTTP/1.1 200 OK\r\nX: a\nContent-Length: 2\r\n\r\nok",
    "the last field": b"HTTP/1.1 200 OK\r\nX: a\r\nContent-Length: 2\n\r\nok",
    "all lines, and blanks before them": b"HTTP/1.1 200 OK\nX: a \nContent-Length: 2 \n\nok",
    "the empty line": b"HTTP/1.1 200 OK\r\nX: a\r\nContent-Length: 2\r\n\nok",
    "chunks": b"HTTP/1.1 200 OK\nX: a\nTransfer-Encoding: chunked\n\n2\r\nok\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("answer", LF.values(), ids=LF.keys())
def test_a_bare_lf_ends_a_line_of_a_response(site: Site, one: tuple[str, Origin], answer: bytes) -> None:
    """RFC 9112, section 2.2: a recipient may take a single LF for a line's end; what goes down has CRLF."""
    host, origin = one
    origin.script = respond(answer)
    with site.client() as client:
        for _ in range(2):
            response = client.get(host)
            assert (response.status, response.get("x"), response.body) == (200, "a", b"ok")
            assert not any("\n" in name + value for name, value in response.fields)
    origin.script = respond()


# of a request's head, of its chunks, of a response's head and its chunks: what comes, and what is said of it
REQUESTS = {
    b"\x16\x03\x01\x02\0\x01": (400, "the client sent TLS"),
    GET + b"X: a\nY: b\r\n\r\n": (400, "a bare LF ends a line"),
    GET + b"X : a\r\n\r\n": (400, "white space between a field's name and its colon"),
    GET + b"X: a\0b\r\n\r\n": (400, "a control character"),
    GET + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n": (400, "Content-Length and Transfer-Encoding are both present"),
    GET + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\n": (400, "Content-Length appears twice"),
    b"GET / HTTP/1.1\r\n\r\n": (400, "Host is missing"),
    b"GET / HTTP/2.0\r\n\r\n": (505, "this version of HTTP is not supported"),
    b"GET /" + b"a" * 70_000: (414, "the request line is too long"),
    GET + b"X: " + b"a" * 70_000: (431, "the head is too large"),
    GET + b"X: a\r\n" * 128 + b"\r\n": (431, "too many fields"),
    GET + b"Connection: " + b"a, " * 101 + b"\r\n\r\n": (431, "Connection lists too many options"),
    CHUNKED + b"5 \r\nhello": (400, "white space after a chunk's size without an extension"),
    CHUNKED + b"5\r\nhello!\r\n": (400, "a chunk's data does not end where its size says"),
    CHUNKED + b"5;" + b"a" * 20_000: (400, "a chunk's size and extensions are longer than 16 KiB"),
    CHUNKED + b"0\r\nContent-Length: x\r\n\r\n": (400, "Content-Length is not a number"),
    b"GET / HTTP/1.1\r\nHost: a%zz\r\n\r\n": (400, "% is not followed by two hexadecimal digits"),
    b"GET / HTTP/1.1\r\nHost: u@a\r\n\r\n": (400, "it can't have a user name"),
}


@pytest.mark.parametrize(("data", "expected"), REQUESTS.items(), ids=[reason for _, reason in REQUESTS.values()])
def test_what_is_refused_of_a_request_says_why(site: Site, one: tuple[str, Origin], data: bytes, expected: tuple[int, str]) -> None:
    """RFC 9209, section 2.1.4: whoever wrote the client finds out from the answer."""
    response = ask(site, one, data)
    assert response.status == expected[0]
    assert expected[1] in details(response)


OK = b"HTTP/1.1 200 OK\r\n"
IN_CHUNKS = OK + b"Transfer-Encoding: chunked\r\n\r\n"
RESPONSES = {
    b"ICY 200 OK\r\n\r\n": "it does not begin with a status line",
    b"HTTP/1.1 2x0 OK\r\n\r\n": "the status is not a number of three digits",
    OK + b"X: a\rb\r\n\r\n": "a CR without LF within a line",
    OK + b"X: a\r\n b\r\n\r\n": "a line is folded",
    OK + b"nonsense\r\n\r\n": "a field line without a colon",
    OK + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\n": "Content-Length appears twice",
    OK + b"Transfer-Encoding: chunked, chunked\r\n\r\n": "chunked appears twice",
    OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n": "has an unknown coding",
    OK + b"X: a\r\n" * 1025 + b"\r\n": "too many fields",
    OK + b"X: " + b"a" * 70_000: "the head is too large",
    b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n": "a 101 without an Upgrade request",
    IN_CHUNKS + b"x\r\n": "a chunk's size has no hexadecimal digit",
    IN_CHUNKS + b"1" * 16: "a chunk's size is beyond 60 bits",
    IN_CHUNKS + b"0\r\nX : a\r\n\r\n": "a field's name has a character that is not allowed",
}


@pytest.mark.parametrize(("data", "reason"), RESPONSES.items(), ids=RESPONSES.values())
def test_what_is_refused_of_a_response_says_why(site: Site, one: tuple[str, Origin], data: bytes, reason: str) -> None:
    """The same of an endpoint: it is 502, and the operator needs not guess."""
    host, origin = one
    origin.script = respond(data)
    with site.client() as client:
        response = client.get(host)
    origin.script = respond()
    assert response.status == 502
    assert reason in details(response)
