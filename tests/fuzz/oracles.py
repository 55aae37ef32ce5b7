"""What clients and endpoints of a fuzzed script may have seen, whatever it did: read by readers that are not ours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from typing import NamedTuple

import h11

from haystack._fast import testing
from tests.differential import compare
from tests.fakes import normal
from tests.fuzz.ends import End

HOPS = {b"keep-alive", b"proxy-connection", b"proxy-authorization"}
IDEMPOTENT = {b"GET", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"TRACE"}  # RFC 9110, section 9.2.2

MOST_HEAD, PIECE = 1 << 17, 1 << 14

Asked = tuple[bytes, bytes, bytes]  # method, target, body


def judge(clients: list[End], endpoints: list[End]) -> None:
    """All of it. AssertionError and h11's errors say what is wrong."""
    asked = [request for client in clients for request in requests_of(bytes(client.sent))]
    for end in endpoints:
        judge_endpoint(end, asked)
    judge_repeats(endpoints, asked)
    given = [answer for end in endpoints for answer in given_by(end)]
    for end in clients:
        judge_client(end, given)


def judge_repeats(endpoints: list[End], asked: list[Asked]) -> None:
    """No request that may do something twice was seen more often than it was asked for, by all endpoints together."""
    seen = Counter(tuple(request.line.split(b" ")[:2]) for end in endpoints for request in requests_at(end))
    wanted = Counter((method, target) for method, target, _ in asked)
    for (method, target), count in seen.items():
        assert method in IDEMPOTENT or count <= wanted[method, target], f"{method!r} {target!r} seen {count} times"


def requests_of(sent: bytes) -> list[Asked]:
    """(method, target, body) of the requests that a client sent, the last one maybe in part, as our own parsers read them."""
    found, at = [], 0
    while not isinstance(read := testing.request_head(sent[at : at + MOST_HEAD]), int):
        size, method, target, _, _, length, chunked = read
        at += size
        if chunked:
            content, left = chunks(sent[at:])
            at = len(sent) - len(left)
        else:
            content = sent[at : at + max(length, 0)]
            at += len(content)
        found.append((method, origin_form(target), content))
    return found


def chunks(data: bytes) -> tuple[bytes, bytes]:
    """(the decoded bytes up to the end or the first fault, what follows)."""
    try:
        content, _, left = testing.decode_chunks([data])
    except ValueError:
        low, high = 0, len(data)
        while low + 1 < high:  # a fault stays one whatever follows, so the last good prefix can be halved for
            middle = (low + high) // 2
            low, high = (middle, high) if decodes(data[:middle]) else (low, middle)
        return testing.decode_chunks([data[:low]])[0], b""
    return content, left


def decodes(data: bytes) -> bool:
    try:
        testing.decode_chunks([data])
    except ValueError:
        return False
    return True


def origin_form(target: bytes) -> bytes:
    """RFC 9112, section 3.2.2: the target as an origin is told it."""
    if target[:1] in {b"/", b"*"} or target[:7].lower() != b"http://":
        return target
    path = target[7:]
    at = min((path.index(mark) for mark in (b"/", b"?") if mark in path), default=len(path))
    return path[at:] if path[at : at + 1] == b"/" else b"/" + path[at:]


def requests_at(end: End) -> Iterator[normal.Normal]:
    """The requests that an endpoint saw; what follows an upgrade is no HTTP."""
    for request in normal.requests(bytes(end.seen)):
        yield request
        if request.all(b"upgrade") and b" 101 " in end.sent:
            return


def judge_endpoint(end: End, asked: list[tuple[bytes, bytes, bytes]]) -> None:
    """Every request that an endpoint saw: in normal form, the same to all readers, and asked for."""
    wire = bytes(end.seen)
    for request in requests_at(end):
        at = wire.index(b"\r\n\r\n") + 4
        compare.heads(wire[:at], request=True)
        method, target, _ = request.line.split(b" ")
        assert any((method, target) == (m, t) and b.startswith(request.body) for m, t, b in asked), request
        assert not HOPS.intersection(name for name, _ in request.fields), request
        wire = wire[at:]
        if request.all(b"transfer-encoding"):
            compare.bodies(wire)
            wire = testing.decode_chunks([wire])[2]
        else:
            wire = wire[int((request.all(b"content-length") or [0])[0]) :]


def judge_client(end: End, given: list[Answer]) -> None:
    """The answers that a client saw: h11 reads them, knowing what was asked, and an endpoint gave them, or Haystack says that it did."""
    methods = [method for method, _, _ in requests_of(bytes(end.sent))]
    found, left = answers(bytes(end.seen), [*methods, b"GET"])  # the last: a refusal of what follows, whatever that was
    assert not left, f"an answer that nobody asked for: {left[:80]!r}"
    for answer in found:
        assert answer.own or any(answer.status == g.status and g.body.startswith(answer.body) for g in given), answer


def given_by(end: End) -> list[Answer]:
    """The answers that an endpoint gave, up to the first that is none: it may send anything."""
    methods = [request.line.split(b" ")[0] for request in requests_at(end)]
    methods += [b"GET"] * 8  # for what it was asked and left unread
    found: list[Answer] = []
    with suppress(h11.RemoteProtocolError):
        answers(bytes(end.sent), methods, found)
    return found


class Answer(NamedTuple):
    """One final response, its body maybe in part. own: it is Haystack's own."""

    status: int
    body: bytes
    own: bool


def answers(data: bytes, methods: list[bytes], found: list[Answer] | None = None) -> tuple[list[Answer], bytes]:
    """(the answers to requests of these methods, what follows the last). Raises RemoteProtocolError; found then has those before."""
    found = [] if found is None else found
    at = 0
    for method in methods:
        if at == len(data) or b" 101 " in data[at : at + 13]:  # what follows an upgrade is no HTTP
            return found, b""
        at = after_answer(data, at, method, found)
    return found, data[at:]


def after_answer(data: bytes, at: int, method: bytes, found: list[Answer]) -> int:
    """Where the answer to a request ends that begins at `at`. An answer may be cut short, for then the connection is."""
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
    connection.send(h11.Request(method=method, target="/", headers=[("Host", "a")]))
    connection.send(h11.EndOfMessage())
    while True:
        event = connection.next_event()
        if isinstance(event, h11.Response):
            own = any(name == b"proxy-status" and value.startswith(b"haystack") for name, value in event.headers)
            found.append(Answer(event.status_code, b"", own))
        elif isinstance(event, h11.Data):
            found[-1] = found[-1]._replace(body=found[-1].body + event.data)
        elif isinstance(event, h11.EndOfMessage):
            return at - len(connection.trailing_data[0])
        elif event is h11.NEED_DATA and at < len(data):
            connection.receive_data(data[at : at + PIECE])  # a client may have had 10,000 answers
            at = min(at + PIECE, len(data))
        elif event is h11.NEED_DATA or event is h11.PAUSED:
            return len(data)
