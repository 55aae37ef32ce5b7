"""Sessions of HTTP/2 that are packed after each piece that comes: clients and endpoints see what they see where none ever is.

Two clients send good and bad frames, cut anywhere, in turns: they share the block in which a frame is written, and rooms change hands.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hpack import Decoder, Encoder
from hyperframe import frame as h2
from hypothesis import example, given, settings
from hypothesis import strategies as st

from haystack._fast.connection import resting
from tests.fakes.http2 import PREFACE, cut
from tests.fuzz.ends import End, Places
from tests.fuzz.rig import Rig
from tests.fuzz.service import Manner

LONG = 60_000
CLIENTS = 2
GREETING = PREFACE + h2.SettingsFrame(0, {4: 1 << 20}).serialize() + h2.WindowUpdateFrame(0, 1 << 28).serialize()
VARIES = re.compile(rb"[0-9a-f]{32}")  # a request's id
PLAIN = b"HTTP/1.1 200 OK\r\nDate: Mon, 01 Jan 2024 00:00:00 GMT\r\n"
ANSWERS = (  # of endpoints, one after another
    PLAIN + b"Content-Length: 2\r\n\r\nok",
    PLAIN + b"".join(b"X-%d: %d\r\n" % (n, n * n) for n in range(90)) + b"Content-Length: 2\r\n\r\nok",
    PLAIN + b"X-Long: " + b"~" * 30_000 + b"\r\nContent-Length: 0\r\n\r\n",
    PLAIN + b"Content-Length: 100000\r\n\r\n" + b"b" * 100_000,
    b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + PLAIN + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-End: 1\r\n\r\n",
)

pytestmark = pytest.mark.skipif(os.sysconf("SC_PAGESIZE") != 4096, reason="nothing is packed where pages are larger")

NAMES = st.sampled_from(["x-a", "x-b", "cookie", "user-agent", "authorization"])
VALUES = st.text("ab0 =;", max_size=8).map(str.strip) | st.sampled_from(["v" * 300, "w" * 3000])
NUMBERS = st.integers(0, 6).map(lambda n: 2 * n + 1)  # of streams, that may be there
SETTINGS = st.sampled_from([(1, 0), (1, 100), (1, 4096), (3, 1), (4, 0), (4, 100), (4, 200_000), (5, 20_000)])
STEPS = st.one_of(
    st.tuples(st.just("ask"), st.lists(st.tuples(NAMES, VALUES), max_size=6), st.sampled_from(["GET", "POST"]), st.booleans()),
    st.tuples(st.just("data"), NUMBERS, st.integers(0, 3000), st.booleans()),
    st.tuples(st.just("settings"), SETTINGS),
    st.tuples(st.just("window"), st.just(0) | NUMBERS, st.sampled_from([1, 1000, 100_000])),
    st.tuples(st.sampled_from(["trailer", "reset", "priority"]), NUMBERS),
    st.tuples(st.sampled_from(["ping", "ack", "goaway"])),
    st.tuples(st.just("bytes"), st.binary(min_size=1, max_size=12)),
)
SCRIPTS = st.tuples(*[st.lists(STEPS, max_size=12)] * CLIENTS)
CUTS = st.lists(st.tuples(st.integers(0, CLIENTS - 1), st.integers(1, 4000) | st.integers(1, 40)), max_size=40)
Step = tuple[Any, ...]


def ends(ended: bool) -> list[str]:
    return ["END_STREAM"] if ended else []


FRAMES: dict[str, Callable[..., h2.Frame]] = {
    "data": lambda stream, size, ended: h2.DataFrame(stream, b"d" * size, flags=ends(ended)),
    "settings": lambda setting: h2.SettingsFrame(0, dict([setting])),
    "window": h2.WindowUpdateFrame,
    "reset": lambda stream: h2.RstStreamFrame(stream, 8),
    "priority": lambda stream: h2.PriorityFrame(stream, stream_weight=3),
    "ping": lambda: h2.PingFrame(0, b"12345678"),
    "ack": lambda: h2.SettingsFrame(0, flags=["ACK"]),
    "goaway": lambda: h2.GoAwayFrame(0),
}


class Speaker:
    """What a client says, with an encoder whose table goes on from request to request."""

    def __init__(self) -> None:
        self.encoder = Encoder()
        self.next = 1

    def wire(self, steps: list[Step]) -> bytes:
        return b"".join(map(self.said, steps))

    def said(self, step: Step) -> bytes:
        match step:
            case "bytes", data:
                return bytes(data)
            case "ask", fields, method, ended:
                return self.asked(fields, method, ended=ended)
            case "trailer", stream:
                return self.section(stream, [("x-end", "1")], ended=True)
        return FRAMES[step[0]](*step[1:]).serialize()

    def asked(self, fields: list[tuple[str, str]], method: str, *, ended: bool) -> bytes:
        self.next += 2
        return self.section(
            self.next - 2, [(":method", method), (":scheme", "http"), (":path", "/"), (":authority", "1.2.3.4"), *fields], ended=ended
        )

    def section(self, stream: int, fields: list[tuple[str, str]], *, ended: bool) -> bytes:
        return h2.HeadersFrame(stream, self.encoder.encode(fields), flags=["END_HEADERS", *ends(ended)]).serialize()


class Stage:
    """A worker, its clients, and endpoints that answer at once. packs: the sessions, whenever nothing is left to do."""

    def __init__(self, places: Places, *, packs: bool) -> None:
        usual = dict.fromkeys(("head_ms", "idle_ms", "connect_ms", "pool_ms", "queue_ms"), LONG)
        self.rig = Rig(places, h2c=True, max_streams=8, max_kept=1 << 24, **usual)
        self.rig.service.timeout_ms = LONG
        self.rig.service.change(1, Manner(0))
        self.packs = packs
        self.packed = self.answered = 0
        self.heard: dict[int, int] = {}
        self.ends = [self.rig.connect() for _ in range(CLIENTS)]

    def send(self, client: int, data: bytes) -> None:
        self.ends[client].send(data)
        self.rig.settle()
        while sum(self.answer(end) for end in self.rig.endpoints if end.there):
            self.rig.settle()
        if self.packs:
            self.packed += resting.look(self.rig.worker, 0)

    def answer(self, endpoint: End) -> int:
        """How often it was asked something, and answers."""
        asked = endpoint.seen.count(b" HTTP/1.1\r\n")
        new = asked - self.heard.get(id(endpoint), 0)
        self.heard[id(endpoint)] = asked
        for _ in range(new):
            endpoint.send(ANSWERS[self.answered % len(ANSWERS)])
            self.answered += 1
        return new

    def close(self) -> None:
        """AssertionError: something has failed, or is left."""
        for end in (*self.rig.clients, *self.rig.endpoints):
            self.rig.drop(end)
        self.rig.settle()
        self.rig.service.change(0, Manner(0))
        self.rig.close()

    def told(self) -> list[object]:
        """What everybody saw, without what is new each time."""
        return [*(frames(bytes(end.seen)) for end in self.ends), *(VARIES.sub(b"#", bytes(end.seen)) for end in self.rig.endpoints)]


def frames(seen: bytes) -> list[object]:
    """Fields as they were meant, all else as it came."""
    buffer, decoder, block = bytearray(seen), Decoder(max_header_list_size=1 << 20), b""
    found: list[object] = []
    while (frame := cut(buffer)) is not None:
        if not isinstance(frame, h2.HeadersFrame | h2.ContinuationFrame):
            found.append(VARIES.sub(b"#", frame.raw))
            continue
        block += frame.data
        found.append((type(frame), frame.stream_id, sorted(frame.flags)))
        if "END_HEADERS" in frame.flags:
            found.append([(name, b"" if name == b"date" else VARIES.sub(b"#", value)) for name, value in decoder.decode(block, raw=True)])
            block = b""
    return [*found, bytes(buffer)]


def pieces(wires: list[bytes], cuts: list[tuple[int, int]]) -> Iterator[tuple[int, bytes]]:
    """Whose turn it is, and what that client sends: its greeting first, and at the end what is left."""
    left = list(wires)
    yield from enumerate([GREETING] * CLIENTS)
    for client, size in (*cuts, *((client, len(wire)) for client, wire in enumerate(wires))):
        piece, left[client] = left[client][:size], left[client][size:]
        if piece:
            yield client, piece


@pytest.fixture(scope="module")
def places() -> Iterator[Places]:
    made = Places()
    yield made
    made.close()


ASKS: list[Step] = [("ask", [("x-a", "v" * 300), ("cookie", "a=b")], "GET", True)] * 6


@settings(max_examples=60, deadline=None)
@given(scripts=SCRIPTS, cuts=CUTS)
@example(scripts=([*ASKS, ("ping",)], ASKS), cuts=[(n % 2, 30) for n in range(80)])
@example(scripts=(ASKS, [("ask", [], "POST", False), ("data", 1, 100, True), *ASKS]), cuts=[(n % 2, 300) for n in range(20)])
def test_what_everybody_sees_does_not_depend_on_packing(
    places: Places, scripts: tuple[list[Step], ...], cuts: list[tuple[int, int]]
) -> None:
    seen = []
    for packs in (False, True):
        stage = Stage(places, packs=packs)
        for client, piece in pieces([Speaker().wire(steps) for steps in scripts], cuts):
            stage.send(client, piece)
        seen.append(stage.told())
        stage.close()
        assert stage.packed >= CLIENTS * packs
    assert seen[0] == seen[1]
