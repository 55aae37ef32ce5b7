"""Fuzz target: a script of what client and endpoint do, through a whole data plane; judged by what either of them saw.

An endpoint saw requests that our reader, llhttp and h11 read as the same ones, in normal form, each of them one that a client sent.
A client saw responses that h11 reads, no more than it has asked for. Nothing failed, nothing is left, nothing goes on for ever.
"""

from __future__ import annotations

import atexit
from random import Random

import h11

from haystack._fast import body, head
from tests.differential import compare
from tests.fakes import normal
from tests.fuzz import mutate, run, script
from tests.fuzz.rig import ANSWER, FLOOD, End, Places, Rig
from tests.fuzz.script import Deed

PLACES = Places()
atexit.register(PLACES.close)
HOPS = {b"keep-alive", b"proxy-connection", b"proxy-authorization"}


def one(data: bytes) -> None:
    """Play one script, then look at what everybody saw."""
    rig = Rig(PLACES)
    for deed, payload in script.read(data):
        play(rig, deed, payload)
        rig.settle()
    rig.close()
    asked = [request for client in rig.clients for request in requests_of(bytes(client.sent))]
    for end in rig.endpoints:
        judge_endpoint(end, asked)
    for end in rig.clients:
        judge_client(end)
    rig.assert_empty()


def play(rig: Rig, deed: Deed, payload: bytes) -> None:
    """Do one deed. What nobody is there to do is not done."""
    endpoint = rig.endpoint()
    match deed:
        case Deed.CLIENT_SENDS:
            rig.client().send(payload)
        case Deed.CLIENT_FLOODS if payload:
            rig.client().send(payload * (FLOOD // len(payload)))
        case Deed.CLIENT_ENDS:
            rig.client().half_close()
        case Deed.CLIENT_GOES:
            rig.drop(rig.client())
        case Deed.CLIENT_COMES:
            rig.connect()
        case Deed.TIME_IS_UP:
            rig.sweep()
        case Deed.NOBODY_READS:
            rig.reading = not rig.reading
        case Deed.TRACED:
            rig.plane.trace(True)
        case Deed.ENDPOINT_SENDS | Deed.ENDPOINT_ANSWERS | Deed.ENDPOINT_FLOODS | Deed.ENDPOINT_ENDS | Deed.ENDPOINT_GOES if endpoint:
            endpoint_does(rig, endpoint, deed, payload)


def endpoint_does(rig: Rig, endpoint: End, deed: Deed, payload: bytes) -> None:
    match deed:
        case Deed.ENDPOINT_SENDS:
            endpoint.send(payload)
        case Deed.ENDPOINT_ANSWERS:
            endpoint.send(ANSWER)
        case Deed.ENDPOINT_FLOODS if payload:
            endpoint.send(payload * (FLOOD // len(payload)))
        case Deed.ENDPOINT_ENDS:
            endpoint.half_close()
        case Deed.ENDPOINT_GOES:
            rig.drop(endpoint)


def requests_of(sent: bytes) -> list[tuple[bytes, bytes, bytes]]:
    """(method, target, body) of the requests that a client sent, the last one maybe in part, as our own parsers read them."""
    found = []
    while not isinstance(read := head.request(sent), int):
        size, method, target, _, _, length, chunked = read
        sent = sent[size:]
        if chunked:
            content, sent = chunks(sent)
        else:
            content, sent = sent[: max(length, 0)], sent[max(length, 0) :]
        found.append((method, origin_form(target), content))
    return found


def chunks(data: bytes) -> tuple[bytes, bytes]:
    """(the decoded bytes up to the end or the first fault, what follows)."""
    try:
        content, _, left = body.decode([data])
    except ValueError:
        low, high = 0, len(data)
        while low + 1 < high:  # a fault stays one whatever follows, so the last good prefix can be halved for
            middle = (low + high) // 2
            low, high = (middle, high) if decodes(data[:middle]) else (low, middle)
        return body.decode([data[:low]])[0], b""
    return content, left


def decodes(data: bytes) -> bool:
    try:
        body.decode([data])
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


def judge_endpoint(end: End, asked: list[tuple[bytes, bytes, bytes]]) -> None:
    """Every request that an endpoint saw: in normal form, the same to all readers, and asked for."""
    wire = bytes(end.seen)
    for request in normal.requests(wire):
        at = wire.index(b"\r\n\r\n") + 4
        compare.heads(wire[:at], request=True)
        method, target, _ = request.line.split(b" ")
        assert any((method, target) == (m, t) and b.startswith(request.body) for m, t, b in asked), request
        assert not HOPS.intersection(name for name, _ in request.fields), request
        if request.all(b"upgrade") and b" 101 " in end.sent:
            return  # what follows an upgrade is no HTTP
        wire = wire[at:]
        if request.all(b"transfer-encoding"):
            compare.bodies(wire)
            wire = body.decode([wire])[2]
        else:
            wire = wire[int((request.all(b"content-length") or [0])[0]) :]


def judge_client(end: End) -> None:
    """The answers that a client saw, each read by h11 in the knowledge of its request's method."""
    rest = bytes(end.seen)
    methods = [method for method, _, _ in requests_of(bytes(end.sent))]
    for method in [*methods, b"GET"]:  # the last: a refusal of what follows, whatever that was
        if not rest or rest[:13] == b"HTTP/1.1 101 ":
            return
        rest = after_answer(rest, method)
    assert not rest, f"an answer that nobody asked for: {rest[:80]!r}"


def after_answer(data: bytes, method: bytes) -> bytes:
    """What follows the answer to a request. An answer may be cut short, for then the connection is."""
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
    connection.send(h11.Request(method=method, target="/", headers=[("Host", "a")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(data)
    while (event := connection.next_event()) is not h11.NEED_DATA:
        if isinstance(event, h11.EndOfMessage):
            return connection.trailing_data[0]
    return b""


def changed(data: bytes, max_size: int, seed: int) -> bytes:
    """atheris's custom mutator: damage to deeds and to what they send."""
    return script.changed(Random(seed), data, OTHERS)[:max_size]


OTHERS: list[bytes] = []

if __name__ == "__main__":
    OTHERS += mutate.corpus("exchange").values()
    run.main(one, changed, explain=script.told)
