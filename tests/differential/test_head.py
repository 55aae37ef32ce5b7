"""Our head parser beside llhttp (httptools) and h11: where another reader accepts what we accept, it must have read the same.

Two readers that differ on one head are how requests are smuggled, so agreement counts, not acceptance: we may refuse more than they do.
What we accept and both refuse needs a reason in EXCUSED.
"""

from __future__ import annotations

import re
from typing import NamedTuple

import h11
import httptools
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from haystack._fast import head


class Read(NamedTuple):
    """A head as one reader understood it. first, second: method and target, or status and reason."""

    first: bytes | int
    second: bytes
    minor: int
    fields: list[tuple[bytes, bytes]]
    length: int
    chunked: bool


def ours(data, *, request):
    """What we read, or None; a refusal and an incomplete head are the same to this test."""
    found = head.request(data) if request else head.response(data)
    return None if isinstance(found, int) else Read(*found[1:])


def framing(fields):
    """(length, chunked) as fields say it: for readers that keep theirs to themselves."""
    lengths = [value for name, value in fields if name == b"content-length"]
    codings = [value for name, value in fields if name == b"transfer-encoding"]
    return int(lengths[-1]) if lengths else -1, bool(codings) and codings[-1].lower().endswith(b"chunked")


def lowered(fields):
    """Names are in lower case, and codings are in any: h11 lowers them."""
    pairs = [(name.lower(), value) for name, value in fields]
    return [(name, value.lower() if name == b"transfer-encoding" else value) for name, value in pairs]


class Collector:
    """llhttp's callbacks."""

    def __init__(self):
        self.url, self.status, self.fields, self.whole = b"", b"", [], False

    def on_url(self, url):
        self.url += url

    def on_status(self, status):
        self.status += status

    def on_header(self, name, value):
        self.fields.append((name.lower(), value.rstrip(b" \t")))

    def on_headers_complete(self):
        self.whole = True


def llhttp(data, *, request):
    into = Collector()
    parser = (httptools.HttpRequestParser if request else httptools.HttpResponseParser)(into)
    try:
        parser.feed_data(data)
    except httptools.HttpParserUpgrade:
        pass
    except httptools.HttpParserError:
        # it may have taken the head and choked on what it holds for a body
        if not into.whole:
            return None
    if not into.whole:
        return None
    first, second = (parser.get_method(), into.url) if request else (parser.get_status_code(), into.status)
    return Read(first, second, int(parser.get_http_version()[2]), into.fields, *framing(into.fields))


def by_h11(data, *, request):
    connection = h11.Connection(h11.SERVER if request else h11.CLIENT, max_incomplete_event_size=1 << 20)
    try:
        if not request:
            connection.send(h11.Request(method="GET", target="/", headers=[("Host", "a")]))
            connection.send(h11.EndOfMessage())
        connection.receive_data(data)
        found = connection.next_event()
    except (h11.RemoteProtocolError, ValueError):
        return None
    if not isinstance(found, h11.Request | h11.Response | h11.InformationalResponse):
        return None
    first, second = (found.method, found.target) if request else (found.status_code, found.reason)
    fields = [(bytes(name), bytes(value)) for name, value in found.headers]
    return Read(first, bytes(second), int(found.http_version[2:]), fields, *framing(fields))


# Why we may accept what both refuse: with this made plain, one of them must accept it too.
EXCUSED = [
    # RFC 9110 9.1: any token is a method; llhttp has a list of them
    (rb"^((?:\r\n)*)[!#$%&'*+\-.^_`|~0-9A-Za-z]+ ", rb"\1GET "),
    # a target is its origin's to judge, as long as it ends where everybody ends it; h11 and llhttp have narrower ideas
    (rb"^((?:\r\n)*\S+) [^\0-\x20\x7f]+ ", rb"\1 / "),
    # RFC 9110 2.5: HTTP/1.9 is read as HTTP/1.1
    (rb"^([^\r]* |)HTTP/1\.[2-9]", rb"\1HTTP/1.1"),
]


def plain(data, *, request):
    """The head without the peculiarities that EXCUSED explains."""
    for pattern, instead in EXCUSED if request else EXCUSED[2:]:
        data = re.sub(pattern, instead, data)
    return data


def compare(data, *, request):
    """The assertion of this file, for one head."""
    mine = ours(data, request=request)
    if mine is None:
        return
    others = {"llhttp": llhttp(data, request=request), "h11": by_h11(data, request=request)}
    for name, other in others.items():
        if other is None:
            continue
        assert (mine.first, mine.second) == (other.first, other.second), name
        assert mine.minor == min(other.minor, 1), name
        assert lowered(mine.fields) == lowered(other.fields), name
        assert (mine.length, mine.chunked) == (other.length, other.chunked), name
    if not any(others.values()):
        usual = plain(data, request=request)
        assert llhttp(usual, request=request) or by_h11(usual, request=request), f"only we accept {data!r}"


TOKEN = st.text("abcXYZ019!#$%&'*+-.^_`|~", min_size=1, max_size=12).map(str.encode)
METHOD = st.sampled_from([b"GET", b"POST", b"HEAD", b"PUT", b"OPTIONS", b"PATCH", b"CONNECT"])
TARGET = st.one_of(
    st.sampled_from([b"/", b"*", b"a:1", b"http://a/b?c", b"/%00", b"//", b"/a#b"]),
    st.text("abc/?&=%20.;:@~[]", max_size=20).map(lambda t: b"/" + t.encode()),
)
VERSION = st.sampled_from([b"HTTP/1.1"] * 6 + [b"HTTP/1.0", b"HTTP/1.2", b"HTTP/2.0", b"http/1.1", b"HTTP/1.10", b"HTTP/1,1"])
SPACE = st.sampled_from([b" "] * 6 + [b"", b"  ", b"\t", b" \t "])
USUAL_VALUE = st.text("abc 019,;=\t\"'()/", max_size=20).map(str.encode)
VALUE = st.one_of(USUAL_VALUE, USUAL_VALUE, USUAL_VALUE, st.binary(max_size=6))
FRAMING = st.sampled_from(
    [
        b"Content-Length: 3",
        b"content-length:0",
        b"Content-Length: 3, 3",
        b"Content-Length: +3",
        b"Content-Length: 3 ",
        b"Content-Length:\t3",
        b"Content-Length: 0x3",
        b"Content-Length: 3_0",
        b"Content-Length: ",
        b"Content-Length : 3",
        b"Content-Length: 99999999999999999999",
        b"Transfer-Encoding: chunked",
        b"transfer-encoding:CHUNKED",
        b"Transfer-Encoding: chunked, chunked",
        b"Transfer-Encoding: identity",
        b"Transfer-Encoding: gzip, chunked",
        b"Transfer-Encoding: xchunked",
        b"Transfer-Encoding:\x0bchunked",
        b"Transfer-Encoding : chunked",
        b"Transfer_Encoding: chunked",
        b"Connection: close",
        b"Connection: keep-alive, Content-Length",
        b"Connection: upgrade\r\nUpgrade: x",
        b"Expect: 100-continue",
        b"X: a\r\n b",
    ]
)
FIELD = st.one_of(
    st.builds(lambda n, s, v: n + b":" + s + v, TOKEN, SPACE, VALUE),
    FRAMING,
    st.sampled_from([b"Host: a", b"Host: b:80", b"host:", b"Host: a, b"]),
)
END = st.sampled_from([b"\r\n"] * 15 + [b"\n", b"\r", b"\r\r\n", b"\n\r\n"])


def joined(line, fields, ends):
    lines = [line, *fields, b""]
    return b"".join(text + ends[n % len(ends)] for n, text in enumerate(lines))


ENDS = st.one_of(st.just([b"\r\n"]), st.just([b"\r\n"]), st.lists(END, min_size=1, max_size=7))
REQUEST_LINE = st.builds(lambda m, a, t, b, v: m + a + t + b + v, st.one_of(METHOD, METHOD, TOKEN), SPACE, TARGET, SPACE, VERSION)
USUAL_LINE = st.builds(lambda m, t: m + b" " + t + b" HTTP/1.1", METHOD, TARGET)
HOSTED = st.lists(FIELD, max_size=5).map(lambda fields: [b"Host: a", *fields])
STATUS = st.sampled_from([b"200", b"204", b"304", b"100", b"103", b"500", b"999", b"099", b"20", b"2000", b"2x0"])
REASON = st.one_of(st.sampled_from([b" OK", b"", b" ", b" Not Found", b" \xff", b" O\rK"]), VALUE.map(lambda v: b" " + v))
STATUS_LINE = st.builds(lambda v, s, r: v + b" " + s + r, VERSION, STATUS, REASON)

REQUEST = st.one_of(
    st.builds(joined, USUAL_LINE, HOSTED, ENDS),
    st.builds(joined, REQUEST_LINE, st.one_of(HOSTED, st.lists(FIELD, max_size=4)), ENDS),
)
RESPONSE = st.builds(joined, st.one_of(st.just(b"HTTP/1.1 200 OK"), STATUS_LINE), st.lists(FIELD, max_size=5), ENDS)


@st.composite
def mutated(draw, heads):
    """A head with a few of its bytes changed, dropped, doubled or swapped."""
    data = bytearray(draw(heads))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data) - 1)) if data else 0
        deed = draw(st.sampled_from(["change", "drop", "insert", "double"]))
        odd = draw(st.one_of(st.sampled_from(b"\0\t\n\r :,;\x0b\x0c\x7f\x80\xff"), st.integers(0, 255)))
        match deed:
            case "change" if data:
                data[at] = odd
            case "drop" if data:
                del data[at]
            case "double":
                data[at:at] = data[at : at + 8]
            case _:
                data.insert(at, odd)
    return bytes(data)


MANY = settings(max_examples=1500, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@MANY
@given(st.one_of(REQUEST, mutated(REQUEST)))
@example(b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
@example(b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
@example(b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
def test_requests_are_read_as_others_read_them(data):
    compare(data, request=True)


@MANY
@given(st.one_of(RESPONSE, mutated(RESPONSE)))
@example(b"HTTP/1.1 200\r\n\r\n")
@example(b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc")
def test_responses_are_read_as_others_read_them(data):
    compare(data, request=False)


@pytest.mark.parametrize("request_", [True, False])
def test_the_readers_agree_on_the_usual(request_):
    line = b"POST /a HTTP/1.1\r\nHost: a" if request_ else b"HTTP/1.1 200 OK\r\nServer: a"
    data = line + b"\r\nContent-Length: 3\r\n\r\nabc"
    assert None not in (ours(data, request=request_), llhttp(data, request=request_), by_h11(data, request=request_))
    compare(data, request=request_)
