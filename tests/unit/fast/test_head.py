"""Heads, sentence by sentence of the specification: each case is read whole, and at every place where a packet may end."""

from __future__ import annotations

import pytest

from haystack._fast import testing

LINE = b"GET / HTTP/1.1\r\nHost: a\r\n"
OK = b"HTTP/1.1 200 OK\r\n"

# what it is, its bytes, and what is read: method, target, minor version, fields, length, whether chunked
REQUESTS = [
    ("RFC 9112 3: a request line and Host", LINE + b"\r\n", (b"GET", b"/", 1, [(b"Host", b"a")], -1, False)),
    ("RFC 9112 2.2: an empty line before it", b"\r\n" + LINE + b"\r\n", (b"GET", b"/", 1, [(b"Host", b"a")], -1, False)),
    ("RFC 9112 3.2: HTTP/1.0 needs no Host", b"GET / HTTP/1.0\r\n\r\n", (b"GET", b"/", 0, [], -1, False)),
    ("RFC 9110 2.5: a higher minor version is 1", b"GET / HTTP/1.9\r\nHost: a\r\n\r\n", (b"GET", b"/", 1, [(b"Host", b"a")], -1, False)),
    ("RFC 9112 3.2: an empty Host is one", b"GET / HTTP/1.1\r\nHost:\r\n\r\n", (b"GET", b"/", 1, [(b"Host", b"")], -1, False)),
    ("RFC 9110 9.1: any token is a method", b"b!#$~ / HTTP/1.0\r\n\r\n", (b"b!#$~", b"/", 0, [], -1, False)),
    ("RFC 9112 3.2.4: asterisk form", b"OPTIONS * HTTP/1.0\r\n\r\n", (b"OPTIONS", b"*", 0, [], -1, False)),
    ("RFC 9112 3.2.2: absolute form", b"GET http://a/b HTTP/1.0\r\n\r\n", (b"GET", b"http://a/b", 0, [], -1, False)),
    ("RFC 9112 3.2.3: authority form", b"CONNECT a:1 HTTP/1.0\r\n\r\n", (b"CONNECT", b"a:1", 0, [], -1, False)),
    (
        "RFC 9112 5: white space around a value is none of it",
        LINE + b"A:b\r\nC: \t d e \t\r\nF:  \r\n\r\n",
        (b"GET", b"/", 1, [(b"Host", b"a"), (b"A", b"b"), (b"C", b"d e"), (b"F", b"")], -1, False),
    ),
    (
        "RFC 9110 5.5: a value may have bytes over 127 and tabs",
        LINE + b"A: \xff\tb\r\n\r\n",
        (b"GET", b"/", 1, [(b"Host", b"a"), (b"A", b"\xff\tb")], -1, False),
    ),
    (
        "RFC 9110 8.6: Content-Length, whatever the name's case",
        LINE + b"cONTENT-lENGTH: 042\r\n\r\n",
        (b"GET", b"/", 1, [(b"Host", b"a"), (b"cONTENT-lENGTH", b"042")], 42, False),
    ),
    (
        "RFC 9110 8.6: 18 digits are a length",
        LINE + b"Content-Length: 999999999999999999\r\n\r\n",
        (b"GET", b"/", 1, [(b"Host", b"a"), (b"Content-Length", b"9" * 18)], 10**18 - 1, False),
    ),
    (
        "RFC 9110 8.6: and any zeros before them",
        LINE + b"Content-Length: " + b"0" * 30 + b"5\r\n\r\n",
        (b"GET", b"/", 1, [(b"Host", b"a"), (b"Content-Length", b"0" * 30 + b"5")], 5, False),
    ),
    (
        "RFC 9110 5.6.1: empty elements of a list are none",
        LINE + b"Transfer-Encoding: ,\r\nTransfer-Encoding: , chunked,\r\n\r\n",
        (b"GET", b"/", 1, [(b"Host", b"a"), (b"Transfer-Encoding", b","), (b"Transfer-Encoding", b", chunked,")], -1, True),
    ),
    (
        "RFC 9112 7: chunked, in any case",
        LINE + b"Transfer-Encoding: Chunked\r\n\r\n",
        (b"GET", b"/", 1, [(b"Host", b"a"), (b"Transfer-Encoding", b"Chunked")], -1, True),
    ),
]

REFUSED_REQUESTS = [
    ("RFC 9112 2.2: a bare LF after the request line", b"GET / HTTP/1.1\nHost: a\r\n\r\n", -400),
    ("RFC 9112 2.2: a bare LF after a field", b"GET / HTTP/1.1\r\nHost: a\n\r\n", -400),
    ("RFC 9112 2.2: a bare LF as the empty line", LINE + b"\n", -400),
    ("RFC 9112 2.2: a bare CR in a value", LINE + b"A: b\rc\r\n\r\n", -400),
    ("RFC 9112 2.2: a bare CR before the end", LINE + b"A: b\r\r\n\r\n", -400),
    ("RFC 9112 2.2: too many empty lines", b"\r\n" * 5 + LINE + b"\r\n", -400),
    ("RFC 9112 2.2: white space before the first field", b"GET / HTTP/1.1\r\n Host: a\r\n\r\n", -400),
    ("RFC 9112 3: two spaces", b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n", -400),
    ("RFC 9112 3: a tab for a space", b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", -400),
    ("RFC 9112 3: a space at the end", b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n", -400),
    ("RFC 9112 3: a space in the target", b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", -400),
    ("RFC 9112 3: no target", b"GET HTTP/1.1\r\nHost: a\r\n\r\n", -400),
    ("RFC 9112 3: no version", b"GET /\r\n\r\n", -400),
    ("RFC 9112 3.1: a method that is no token", b"G(T / HTTP/1.1\r\nHost: a\r\n\r\n", -400),
    ("a method over 32 bytes", b"M" * 33 + b" / HTTP/1.1\r\nHost: a\r\n\r\n", -400),
    ("RFC 9112 3.2: a byte of no ASCII in the target", b"GET /\xc3\xa9 HTTP/1.1\r\nHost: a\r\n\r\n", -400),
    ("a NUL in the target", b"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n", -400),
    ("RFC 9112 2.3: the name is case-sensitive", b"GET / http/1.1\r\nHost: a\r\n\r\n", -400),
    ("RFC 9112 2.3: two digits", b"GET / HTTP/1.10\r\nHost: a\r\n\r\n", -400),
    ("RFC 9110 15.6.6: HTTP/2.0", b"GET / HTTP/2.0\r\nHost: a\r\n\r\n", -505),
    ("RFC 9113 3.4: the preface of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", -505),
    ("RFC 9112 3.2: no Host", b"GET / HTTP/1.1\r\n\r\n", -400),
    ("RFC 9112 3.2: two Hosts", LINE + b"Host: a\r\n\r\n", -400),
    ("RFC 9112 5.1: a space before the colon", LINE + b"A : b\r\n\r\n", -400),
    ("RFC 9112 5.1: no name", LINE + b": b\r\n\r\n", -400),
    ("RFC 9112 5.1: no colon", LINE + b"Ab\r\n\r\n", -400),
    ("RFC 9110 5.1: a name that is no token", LINE + b"A(b): c\r\n\r\n", -400),
    ("RFC 9110 5.1: a name with a byte over 127", LINE + b"\xc3\xa9: c\r\n\r\n", -400),
    ("RFC 9112 5.2: obs-fold", LINE + b"A: b\r\n c\r\n\r\n", -400),
    ("RFC 9110 5.5: a NUL in a value", LINE + b"A: b\0\r\n\r\n", -400),
    ("RFC 9110 5.5: DEL in a value", LINE + b"A: b\x7f\r\n\r\n", -400),
    ("RFC 9110 8.6: a sign", LINE + b"Content-Length: +1\r\n\r\n", -400),
    ("RFC 9110 8.6: minus", LINE + b"Content-Length: -1\r\n\r\n", -400),
    ("RFC 9110 8.6: hexadecimal", LINE + b"Content-Length: 0x1\r\n\r\n", -400),
    ("RFC 9110 8.6: empty", LINE + b"Content-Length:\r\n\r\n", -400),
    ("RFC 9110 8.6: a list", LINE + b"Content-Length: 1, 1\r\n\r\n", -400),
    ("RFC 9110 8.6: a space inside", LINE + b"Content-Length: 1 1\r\n\r\n", -400),
    ("RFC 9110 8.6: more digits than an integer has", LINE + b"Content-Length: " + b"1" * 19 + b"\r\n\r\n", -400),
    ("RFC 9112 6.3: two Content-Lengths that differ", LINE + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n", -400),
    ("RFC 9112 6.3: two that agree", LINE + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\n", -400),
    ("RFC 9112 6.1: both framings", LINE + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", -400),
    ("RFC 9112 6.1: both, the other way round", LINE + b"Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", -400),
    ("RFC 9112 6.1: chunked in HTTP/1.0", b"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", -400),
    ("RFC 9112 6.1: chunked twice", LINE + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", -400),
    ("RFC 9112 6.1: chunked twice in one field", LINE + b"Transfer-Encoding: chunked, chunked\r\n\r\n", -400),
    ("RFC 9112 6.1: chunked twice above another", LINE + b"Transfer-Encoding: gzip, chunked,, chunked\r\n\r\n", -400),
    ("RFC 9112 6.1: the same in two fields", LINE + b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n", -501),
    ("RFC 9112 6.1: an unknown coding below chunked", LINE + b"Transfer-Encoding: gzip, chunked\r\n\r\n", -501),
    ("RFC 9112 6.3: chunked is not the last", LINE + b"Transfer-Encoding: chunked, gzip\r\n\r\n", -400),
    ("RFC 9112 6.3: no chunked at all", LINE + b"Transfer-Encoding: identity\r\n\r\n", -400),
    ("RFC 9112 6.1: an empty coding", LINE + b"Transfer-Encoding:\r\n\r\n", -400),
    ("RFC 9112 7: chunked with a vertical tab", LINE + b"Transfer-Encoding: \x0bchunked\r\n\r\n", -400),
    ("RFC 6585 5: 1025 fields", LINE + b"A: b\r\n" * 1024 + b"\r\n", -431),
    ("RFC 6585 5: 101 options", LINE + b"Connection: " + b"a," * 101 + b"\r\n\r\n", -431),
    ("a TLS hello", b"\x16\x03\x01\x02\x00\x01\x00", -400),
]

RESPONSES = [
    ("RFC 9112 4: a status line", OK + b"\r\n", (200, b"OK", 1, [], -1, False)),
    ("RFC 9112 4: an empty reason", b"HTTP/1.1 204 \r\n\r\n", (204, b"", 1, [], -1, False)),
    ("a reason left out with its space: seen in the wild", b"HTTP/1.1 204\r\n\r\n", (204, b"", 1, [], -1, False)),
    ("RFC 9112 4: HTTP/1.0", b"HTTP/1.0 404 No\tsuch \xff\r\n\r\n", (404, b"No\tsuch \xff", 0, [], -1, False)),
    ("RFC 9110 15: a status of no class", b"HTTP/1.1 999 x\r\n\r\n", (999, b"x", 1, [], -1, False)),
    ("RFC 9110 15.2: an interim one", b"HTTP/1.1 103 Early\r\nLink: a\r\n\r\n", (103, b"Early", 1, [(b"Link", b"a")], -1, False)),
    ("RFC 9112 2.2: a bare LF ends a line", b"HTTP/1.1 200 OK\nA: b\n\n", (200, b"OK", 1, [(b"A", b"b")], -1, False)),
    ("RFC 9112 2.2: here CRLF, there LF", b"HTTP/1.1 200\nA: b\r\nC: \n\r\n", (200, b"", 1, [(b"A", b"b"), (b"C", b"")], -1, False)),
    ("RFC 9112 6.2: a length", OK + b"Content-Length: 7\r\n\r\n", (200, b"OK", 1, [(b"Content-Length", b"7")], 7, False)),
    (
        "RFC 9112 6.1: chunked",
        OK + b"Transfer-Encoding: chunked\r\n\r\n",
        (200, b"OK", 1, [(b"Transfer-Encoding", b"chunked")], -1, True),
    ),
]

REFUSED_RESPONSES = [
    ("RFC 9112 2.2: a bare CR before a bare LF's line", OK + b"A: b\r\r\n\r\n"),
    ("RFC 9112 4: nothing but LF", b"\n\n"),
    ("RFC 9112 4: two digits", b"HTTP/1.1 20 OK\r\n\r\n"),
    ("RFC 9112 4: four digits", b"HTTP/1.1 2000 OK\r\n\r\n"),
    ("RFC 9112 4: below 100", b"HTTP/1.1 099 OK\r\n\r\n"),
    ("RFC 9112 4: two spaces", b"HTTP/1.1  200 OK\r\n\r\n"),
    ("RFC 9112 4: a control in the reason", b"HTTP/1.1 200 O\x01K\r\n\r\n"),
    ("RFC 9112 4: a bare CR in the reason", b"HTTP/1.1 200 O\rK\r\n\r\n"),
    ("RFC 9112 2.3: another version", b"HTTP/2.0 200 OK\r\n\r\n"),
    ("something else", b"ICY 200 OK\r\n\r\n"),
    ("RFC 9112 5.1: a space before the colon", OK + b"A : b\r\n\r\n"),
    ("RFC 9112 5.2: obs-fold", OK + b"A: b\r\n\tc\r\n\r\n"),
    ("RFC 9112 6.3: two lengths", OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n"),
    ("RFC 9112 6.3: both framings", OK + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ("RFC 9112 6.1: chunked in HTTP/1.0", b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
    ("RFC 9112 6.1: an unknown coding", OK + b"Transfer-Encoding: br, chunked\r\n\r\n"),
]


def ids(cases):
    return [case[0] for case in cases]


@pytest.mark.parametrize(("what", "data", "parts"), REQUESTS, ids=ids(REQUESTS))
def test_a_request_is_read(what, data, parts):
    assert testing.request_head(data) == (len(data), *parts)


@pytest.mark.parametrize(("what", "data", "parts"), RESPONSES, ids=ids(RESPONSES))
def test_a_response_is_read(what, data, parts):
    assert testing.response_head(data) == (len(data), *parts)


@pytest.mark.parametrize(("what", "data", "parts"), REQUESTS, ids=ids(REQUESTS))
def test_a_part_of_a_request_is_incomplete(what, data, parts):
    assert {testing.request_head(data[:size]) for size in range(len(data))} == {0}


@pytest.mark.parametrize(("what", "data", "parts"), RESPONSES, ids=ids(RESPONSES))
def test_a_part_of_a_response_is_incomplete(what, data, parts):
    assert {testing.response_head(data[:size]) for size in range(len(data))} == {0}


@pytest.mark.parametrize(("what", "data", "status"), REFUSED_REQUESTS, ids=ids(REFUSED_REQUESTS))
def test_a_request_is_refused(what, data, status):
    assert testing.request_head(data) == status
    # a refusal may come early, never as another one, and never after the head was taken
    assert {testing.request_head(data[:size]) for size in range(len(data))} <= {0, status}


@pytest.mark.parametrize(("what", "data"), REFUSED_RESPONSES, ids=ids(REFUSED_RESPONSES))
def test_a_response_is_refused(what, data):
    assert testing.response_head(data) == -502
    assert {testing.response_head(data[:size]) for size in range(len(data))} <= {0, -502}


@pytest.mark.parametrize(("read", "data"), [(testing.request_head, LINE + b"\r\n"), (testing.response_head, OK + b"\r\n")])
def test_what_follows_a_head_is_not_read(read, data):
    assert read(data + b"\0\n\xff")[0] == len(data)


@pytest.mark.parametrize(("read", "line"), [(testing.request_head, LINE), (testing.response_head, OK + b"A: b\r\n")])
def test_1024_fields_are_read(read, line):
    assert len(read(line + b"A: b\r\n" * 1023 + b"\r\n")[4]) == 1024


REASONS = {
    b"GET / HTTP/1.1\nHost: a\r\n\r\n": "a bare LF",
    LINE + b"A: b\rc\r\n\r\n": "a CR without LF",
    LINE + b"A: b\0\r\n\r\n": "a control character",
    LINE + b"A: b\r\n c\r\n\r\n": "folded",
    LINE + b": b\r\n\r\n": "without a name",
    LINE + b"A\r\n\r\n": "without a colon",
    LINE + b"A : b\r\n\r\n": "between a field's name and its colon",
    LINE + b"A b\r\n\r\n": "that is not allowed",
    LINE + b"A(: b\r\n\r\n": "that is not allowed",
    b"\x16\x03\x01": "TLS",
    b"\x00": "not an HTTP request",
    b"G(T / HTTP/1.1\r\n\r\n": "the method is not a token",
    b"M" * 33 + b" / HTTP/1.1\r\n\r\n": "longer than 32",
    b"GET\r\n\r\n": "no target",
    b"GET /\xc3\xa9 HTTP/1.1\r\n\r\n": "percent-encoded",
    b"GET /a#b HTTP/1.1\r\n\r\n": "percent-encoded",
    b"GET  / HTTP/1.1\r\n\r\n": "one space between",
    b"GET\t/ HTTP/1.1\r\n\r\n": "one space between",
    b"GET / HTTP/1.1 \r\n\r\n": "one space between",
    b"GET /a b HTTP/1.1\r\n\r\n": "one space between",
    b"GET /\r\n\r\n": "no HTTP version",
    b"GET / http/1.1\r\n\r\n": "no HTTP version",
    b"GET / HTTP/2.0\r\n\r\n": "is not supported",
    LINE + b"Content-Length: 1, 1\r\n\r\n": "at most 18 digits",
    LINE + b"Content-Length: 1\r\nContent-Length: 1\r\n\r\n": "Content-Length appears twice",
    LINE + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n": "both present",
    LINE + b"Transfer-Encoding: chunked, chunked\r\n\r\n": "chunked appears twice",
    LINE + b"Transfer-Encoding: gzip\r\n\r\n": "not the last coding",
    LINE + b"Transfer-Encoding: gzip, chunked\r\n\r\n": "an unknown coding",
    b"GET / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n": "in HTTP/1.0",
    b"GET / HTTP/1.1\r\n\r\n": "Host is missing",
    LINE + b"Host: a\r\n\r\n": "Host appears twice",
    LINE + b"Connection: " + b"a," * 101 + b"\r\n\r\n": "options",
    b"GET /" + b"a" * 65536: "the request line is too long",
    LINE + b"A: " + b"b" * 65536: "head is too large",
    LINE + b"A: b\r\n" * 1024 + b"\r\n": "too many fields",
    b"HTTP/1.1 200 OK\r\nA : b\r\n\r\n": "between a field's name and its colon",
    b"ICY 200 OK\r\n\r\n": "not begin with a status line",
    b"HTTP/2.0 200 OK\r\n\r\n": "is not supported",
    b"HTTP/1.1 20 OK\r\n\r\n": "three digits",
    b"HTTP/1.1 2000 OK\r\n\r\n": "three digits",
    b"HTTP/1.1 200 O\0K\r\n\r\n": "the reason phrase",
}


@pytest.mark.parametrize(("data", "reason"), REASONS.items(), ids=[f"{data[:40]!r}" for data in REASONS])
def test_a_refusal_says_why(data, reason):
    assert reason in (testing.flaw_of_head(data, data[:5] not in (b"HTTP/", b"ICY 2")) or b"").decode()


def test_every_reason_is_another():
    assert len(set(testing.flaws())) == len(testing.flaws())


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"GET /" + b"a" * 65536, -414),  # RFC 9110 15.5.15
        (LINE + b"A: " + b"b" * 65536, -431),  # RFC 6585 5
        (LINE + b"A: " + b"b" * 65509, -431),  # exactly as much as a reader has room for
    ],
)
def test_a_head_has_a_limit(data, status):
    assert testing.request_head(data) == status


def test_a_response_head_has_a_limit():
    assert testing.response_head(OK + b"A: " + b"b" * 65536) == -502


@pytest.mark.parametrize("size", range(1, 80))
def test_a_control_character_is_found_wherever_it_stands_in_a_value(size):
    """Values are searched by sixteen and thirty-two bytes, and their rests in other ways."""
    for at in range(size):
        value = bytearray(b"v" * size)
        value[at] = 127
        assert testing.request_head(LINE + b"A: " + bytes(value) + b"\r\n\r\n") == -400
        value[at] = 9
        assert testing.request_head(LINE + b"A: x" + bytes(value) + b"x\r\n\r\n")[4][1] == (b"A", b"x" + bytes(value) + b"x")


@pytest.mark.parametrize(
    ("lines", "read"),
    [
        (b"Connection: close\r\n" * 100, True),
        (b"Connection: close\r\n" * 101, False),
        (b"Connection: close\r\n" * 60 + b"Connection: " + b"a," * 40 + b"\r\n", True),
        (b"Connection: close\r\n" * 60 + b"Connection: " + b"a," * 41 + b"\r\n", False),
    ],
    ids=["100 lines", "101 lines", "60 and 40", "60 and 41"],
)
def test_options_of_connection_are_counted_once_each(lines, read):
    """Lines of one option are taken in where they stand, and the others once all fields are there."""
    used = testing.request_head(LINE + lines + b"\r\n")
    assert used[0] if read else used == -431
