"""Three readers of one head: ours, llhttp (httptools) and h11, each made to say what it read in the same words."""

from __future__ import annotations

from enum import Enum
from typing import NamedTuple

import h11
import httptools

from haystack._fast import testing


class Read(NamedTuple):
    """A head as one reader understood it. first, second: method and target, or status and reason."""

    first: bytes | int
    second: bytes
    minor: int
    fields: list[tuple[bytes, bytes]]
    length: int
    chunked: bool


class No(Enum):
    """Why there is no head."""

    REFUSED = "refused"
    INCOMPLETE = "incomplete"


def ours(data, *, request):
    """(what we read, its size), or (No, the status that refuses it or 0)."""
    found = testing.request_head(data) if request else testing.response_head(data)
    if isinstance(found, int):
        return (No.REFUSED if found else No.INCOMPLETE), -found
    return Read(*found[1:]), found[0]


def framing(fields):
    """(length, chunked) as fields say it: for readers that keep theirs to themselves."""
    lengths = [value for name, value in fields if name == b"content-length"]
    codings = [value for name, value in fields if name == b"transfer-encoding"]
    listed = [coding for coding in b",".join(codings).lower().replace(b"\t", b" ").replace(b" ", b"").split(b",") if coding]
    return int(lengths[-1]) if lengths else -1, listed[-1:] == [b"chunked"]


def lowered(fields):
    """Names are in lower case, and codings are in any: h11 lowers them."""
    pairs = [(name.lower(), value) for name, value in fields]
    return [(name, value.lower() if name == b"transfer-encoding" else value) for name, value in pairs]


class Collector:
    """llhttp's callbacks: the first message's head, and its body."""

    def __init__(self, *, request):
        self.url, self.reason, self.fields, self.body, self.whole, self.done = b"", b"", [], b"", False, False
        self.parser = (httptools.HttpRequestParser if request else httptools.HttpResponseParser)(self)
        self.first, self.minor = b"", 0

    def on_url(self, url):
        if not self.whole:  # else it is the next message's
            self.url += url

    def on_status(self, reason):
        if not self.whole:
            self.reason += reason

    def on_header(self, name, value):
        if not self.whole:  # else it is a trailer
            self.fields.append((name.lower(), value.rstrip(b" \t")))

    def on_headers_complete(self):
        if not self.whole:
            request = isinstance(self.parser, httptools.HttpRequestParser)
            self.first = self.parser.get_method() if request else self.parser.get_status_code()
            self.minor = int(self.parser.get_http_version()[2])
            self.whole = True

    def on_body(self, body):
        if not self.done:
            self.body += body

    def on_message_complete(self):
        self.done = True

    def feed(self, data):
        """Feed the parser; False: it refused."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade:
            return True
        except httptools.HttpParserError:
            return False
        return True


def llhttp(data, *, request):
    into = Collector(request=request)
    taken = into.feed(data)
    if not into.whole:  # else it may have taken the head and choked on what it holds for a body
        return No.INCOMPLETE if taken else No.REFUSED
    return Read(into.first, into.url or into.reason, into.minor, into.fields, *framing(into.fields))


def by_h11(data, *, request):
    connection = h11.Connection(h11.SERVER if request else h11.CLIENT, max_incomplete_event_size=1 << 20)
    try:
        if not request:
            connection.send(h11.Request(method="GET", target="/", headers=[("Host", "a"), ("Connection", "upgrade"), ("Upgrade", "x")]))
            connection.send(h11.EndOfMessage())
        connection.receive_data(data)
        found = connection.next_event()
    except (h11.RemoteProtocolError, ValueError):
        return No.REFUSED
    if not isinstance(found, h11.Request | h11.Response | h11.InformationalResponse):
        return No.INCOMPLETE
    first, second = (found.method, found.target) if request else (found.status_code, found.reason)
    fields = [(bytes(name), bytes(value)) for name, value in found.headers]
    return Read(first, bytes(second), int(found.http_version[2:]), fields, *framing(fields))


ORACLES = {"llhttp": llhttp, "h11": by_h11}
