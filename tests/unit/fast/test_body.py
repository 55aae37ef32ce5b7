"""The chunked coding, RFC 9112 section 7.1: each body whole, byte by byte, and at every split."""

from __future__ import annotations

import pytest

from haystack._fast import testing

# what, bytes, body, what is left over
BODIES = [
    ("7.1: the last chunk alone", b"0\r\n\r\n", b"", b""),
    ("7.1: one chunk", b"3\r\nabc\r\n0\r\n\r\n", b"abc", b""),
    ("7.1: two chunks", b"1\r\na\r\n2\r\nbc\r\n0\r\n\r\n", b"abc", b""),
    ("7.1: hexadecimal, in both cases", b"A\r\n0123456789\r\nb\r\n0123456789a\r\n0\r\n\r\n", b"01234567890123456789a", b""),
    ("7.1: leading zeros", b"0003\r\nabc\r\n000\r\n\r\n", b"abc", b""),
    ("7.1: more zeros than a size has digits", b"0" * 16 + b"3\r\nabc\r\n" + b"0" * 40 + b"\r\n\r\n", b"abc", b""),
    ("7.1: data that looks like framing", b"5\r\n0\r\n\r\n\r\n0\r\n\r\n", b"0\r\n\r\n", b""),
    ("7.1.1: extensions are passed over", b'3;a=b;c="d;e"\r\nabc\r\n0;f\r\n\r\n', b"abc", b""),
    ("7.1.1: white space around the parts of an extension", b"3 \t; a = b ;c\r\nabc\r\n0 ;d\r\n\r\n", b"abc", b""),
    ("7.1.2: trailers are passed over", b"3\r\nabc\r\n0\r\nA: b\r\nC: d\r\n\r\n", b"abc", b""),
    ("9.3.2: the next request is left", b"3\r\nabc\r\n0\r\n\r\nGET / HTTP/1.1\r\n", b"abc", b"GET / HTTP/1.1\r\n"),
]

REFUSED = [
    ("7.1: no size", b"\r\nabc\r\n"),
    ("7.1: a size of no digits", b";a\r\nabc\r\n"),
    ("7.1: 0x", b"0x3\r\nabc\r\n"),
    ("7.1: a sign", b"+3\r\nabc\r\n"),
    ("7.1: minus", b"-1\r\n"),
    ("7.1: a space before the size", b" 3\r\nabc\r\n"),
    ("7.1: a space after the size", b"3 \r\nabc\r\n"),
    ("7.1: blanks and no extension", b"3 \t a\r\nabc\r\n"),
    ("7.1: two sizes", b"3 3\r\nabc\r\n"),
    ("7.1: an underscore", b"1_0\r\n"),
    ("7.1: a size beyond 60 bits", b"1" * 16 + b"\r\n"),
    ("7.1: a bare LF after the size", b"3\nabc\r\n0\r\n\r\n"),
    ("7.1: a bare CR after the size", b"3\rabc"),
    ("7.1: more data than the size", b"3\r\nabcd\r\n0\r\n\r\n"),
    ("7.1: data without its CRLF", b"3\r\nabc0\r\n\r\n"),
    ("7.1: a bare LF after the data", b"3\r\nabc\n0\r\n\r\n"),
    ("7.1: a CR without LF after the data", b"3\r\nabc\rx"),
    ("7.1.1: a bare LF in an extension", b"3;a\nabc\r\n0\r\n\r\n"),
    ("7.1.1: a bare CR in an extension", b"3;a\rb\r\nabc\r\n0\r\n\r\n"),
    ("7.1.1: a control in an extension", b"3;a\x00b\r\nabc\r\n0\r\n\r\n"),
    ("7.1.1: extensions without end", b"1;" + b"a" * 20000),
    ("7.1.1: more of extensions than their chunks allow", (b"1;" + b"a" * 300 + b"\r\nx\r\n") * 500),
    ("7.1.1: blanks without end before an extension", b"1" + b" " * 20000),
    ("7.1: zeros without end", b"0" * 20000),
    ("7.1: zeros without end in many chunks", (b"0" * 300 + b"1\r\nx\r\n") * 500),
    ("7.1.2: a bare LF in a trailer", b"0\r\nA: b\n\r\n"),
    ("7.1.2: a bare LF at the end", b"0\r\n\n"),
    ("7.1.2: a bare CR at the end", b"0\r\n\rx"),
    ("7.1.2: a trailer without a colon", b"0\r\nA\r\n\r\n"),
    ("7.1.2: a trailer without a name", b"0\r\n: b\r\n\r\n"),
    ("7.1.2: a space in a trailer's name", b"0\r\nA : b\r\n\r\n"),
    ("7.1.2: a request for a trailer", b"0\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("5.2: a trailer that is folded", b"0\r\nA: b\r\n c\r\n\r\n"),
    ("7.1.2: trailers without end", b"0\r\n" + b"A: b\r\n" * 5000),
]


def ids(cases):
    return [case[0] for case in cases]


def splits(data):
    yield [data]
    yield [bytes([byte]) for byte in data]
    for at in range(min(len(data), 64) + 1):
        yield [data[:at], data[at:]]


@pytest.mark.parametrize(("what", "data", "decoded", "left"), BODIES, ids=ids(BODIES))
def test_a_body_is_decoded(what, data, decoded, left):
    for pieces in splits(data):
        assert testing.decode_chunks(pieces) == (decoded, True, left)


@pytest.mark.parametrize(("what", "data", "decoded", "left"), BODIES, ids=ids(BODIES))
def test_a_part_of_a_body_is_not_done(what, data, decoded, left):
    for size in range(len(data) - len(left)):
        found, done, rest = testing.decode_chunks([data[:size]])
        assert not done
        assert not rest
        assert decoded.startswith(found)


@pytest.mark.parametrize(("what", "data"), REFUSED, ids=ids(REFUSED))
def test_bad_framing_is_refused(what, data):
    for pieces in splits(data):
        with pytest.raises(ValueError, match="chunk"):
            testing.decode_chunks(pieces)


def test_data_goes_on_before_its_chunk_is_whole():
    assert testing.decode_chunks([b"FF\r\nabc"]) == (b"abc", False, b"")


@pytest.mark.parametrize(("size", "extension"), [(1, 250), (64, 350), (8192, 16000)])
def test_extensions_may_grow_with_the_body(size, extension):
    """7.1.1: a limit is there against those without end, and a long body is none of them."""
    line = b"%x;%s\r\n" % (size, b"a" * extension)
    chunk = line + b"x" * size + b"\r\n"
    assert testing.decode_chunks([chunk * (1_000_000 // len(chunk)), b"0\r\n\r\n"])[1]


def test_the_trailer_section_has_a_limit_of_its_own():
    """7.1.2: what extensions have used up is not missing there."""
    chunk = b"1;" + b"a" * 15_000 + b"\r\nx\r\n"
    assert testing.decode_chunks([chunk + b"0\r\nA: " + b"b" * 15_000 + b"\r\n\r\n"]) == (b"x", True, b"")


REASONS = {
    b"\r\n": "no hexadecimal digit",
    b"1" * 16: "beyond 60 bits",
    b"3 \r\n": "without an extension",
    b"3x": "neither an extension nor the line's end",
    b"3\n": "a bare LF",
    b"3\rx": "a CR without LF",
    b"3;\0": "a control character",
    b"3;" + b"a" * 20000: "longer than 16 KiB",
    (b"1;" + b"a" * 300 + b"\r\nx\r\n") * 500: "more extensions than data",
    b"3\r\nabcd": "does not end where its size says",
    b"0\r\n a": "begins with white space",
    b"0\r\n:": "without a name",
    b"0\r\na\r": "without a colon",
    b"0\r\na b": "that is not allowed",
    b"0\r\na:" + b"b" * 20000: "the trailer section is longer",
}


@pytest.mark.parametrize(("data", "reason"), REASONS.items(), ids=REASONS.values())
def test_a_refusal_says_why(data, reason):
    with pytest.raises(ValueError, match=reason):
        testing.decode_chunks([data])
