"""Three readers of one chunked body (ours, llhttp, h11), and `spelled`: reads slowly, by the grammar, and names what is broken."""

from __future__ import annotations

import re
from typing import NamedTuple

import h11

from haystack._fast import testing
from tests.differential.readers import Collector, No
from tests.differential.rules import TEXT, TOKEN

HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"


class Body(NamedTuple):
    """What a decoder made of it. left: the bytes after the end, None where it keeps them to itself."""

    data: bytes
    done: bool
    left: bytes | None


def ours(pieces):
    try:
        return Body(*testing.decode_chunks(pieces))
    except ValueError:
        return No.REFUSED


def llhttp(data):
    into = Collector(request=True)
    taken = into.feed(HEAD + data)
    if not taken and not into.done:  # else it took the body, and choked on what follows
        return No.REFUSED
    return Body(into.body, into.done, None)


def by_h11(data):
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    connection.receive_data(HEAD + data)
    found = b""
    try:
        while (event := connection.next_event()) is not h11.NEED_DATA and not isinstance(event, h11.EndOfMessage):
            found += event.data if isinstance(event, h11.Data) else b""
    except h11.RemoteProtocolError:
        return No.REFUSED
    if event is h11.NEED_DATA:
        return Body(found, False, b"")
    return Body(found, True, connection.trailing_data[0])


ORACLES = {"llhttp": llhttp, "h11": by_h11}

HEX = rb"[0-9A-Fa-f]"
DIGITS = rb"(?:0*%s{1,15})" % HEX
SIZE = re.compile(rb"(%s)([ \t]*;%s*)?\r\n" % (DIGITS, TEXT))
SIZE_BEGUN = re.compile(rb"|%s(?:(?:[ \t]*;%s*)?\r?|[ \t]+)" % (DIGITS, TEXT))
TRAILER = re.compile(rb"%s+:%s*\r\n" % (TOKEN, TEXT))
TRAILER_BEGUN = re.compile(rb"\r?|%s+(?::%s*\r?)?" % (TOKEN, TEXT))
# why a line that neither is one nor has begun as one is none; the first that matches
SIZE_RULES = {
    "RFC 9112 7.1: a size begins with a digit": rb"(?!%s)" % HEX,
    "RFC 9112 7.1: a size beyond what anyone can count": rb"0*%s{16}" % HEX,
    "RFC 9112 2.2: a bare LF": rb"%s+([ \t]*;%s*)?\n" % (HEX, TEXT),
    "RFC 9112 2.2: a bare CR": rb"%s+([ \t]*;%s*)?\r[^\n]" % (HEX, TEXT),
    "RFC 9112 7.1.1: a control in an extension": rb"%s+[ \t]*;" % HEX,
    "RFC 9112 7.1.1: white space stands before an extension, nowhere else": rb"%s+[ \t]" % HEX,
    "RFC 9112 7.1: after a size comes an extension or the line's end": rb"%s+[^;]" % HEX,
}
TRAILER_RULES = {
    "RFC 9112 2.2: a bare LF": rb"(%s+:%s*)?\n" % (TOKEN, TEXT),
    "RFC 9112 2.2: a bare CR": rb"(%s+:%s*)?\r[^\n]" % (TOKEN, TEXT),
    "RFC 9112 5.2: a fold": rb"[ \t]",
    "RFC 9110 5.5: a control in a trailer": rb"%s+:" % TOKEN,
    "RFC 9112 7.1.2: a trailer is a token, a colon and a value": rb"",
}


class Spelled(NamedTuple):
    """A body by the grammar of RFC 9112, section 7.1. rule: what is broken, or None.

    plain: the same without extensions, trailers and the zeros before a size, of which h11 takes no more than 20 digits.
    """

    body: Body
    plain: bytes
    rule: str | None = None


def rule_of(rules, line):
    return next(rule for rule, pattern in rules.items() if re.match(pattern, line))


def spelled(data):
    """Read data slowly, chunk by chunk."""
    at, found, plain = 0, b"", b""
    while line := SIZE.match(data, at):
        size, at = int(line[1], 16), line.end()
        plain += b"%x\r\n" % size
        if size == 0:
            return trailing(data, at, found, plain)
        found += data[at : at + size]
        end = data[at + size : at + size + 2]
        if not b"\r\n".startswith(end):
            return Spelled(Body(found, False, b""), plain, "RFC 9112 7.1: data ends with its size, and with CRLF")
        plain += data[at : at + size] + end
        at += size + 2
    rest = data[at:]
    return Spelled(Body(found, False, b""), plain + begun(rest), None if SIZE_BEGUN.fullmatch(rest) else rule_of(SIZE_RULES, rest))


def begun(rest):
    """What there is of a size line, made plain."""
    digits = re.match(rb"%s*" % HEX, rest)[0]
    return (digits.lstrip(b"0") or digits[-1:]) + (b"\r" if rest.endswith(b"\r") else b"")


def trailing(data, at, found, plain):
    while line := TRAILER.match(data, at):
        at = line.end()
    rest = data[at:]
    if rest.startswith(b"\r\n"):
        return Spelled(Body(found, True, rest[2:]), plain + rest)
    return Spelled(Body(found, False, b""), plain, None if TRAILER_BEGUN.fullmatch(rest) else rule_of(TRAILER_RULES, rest))
