"""Fuzz target: a script as in fuzz_exchange.py, whose endpoints speak HTTP/2 and send frames behind their SETTINGS.

Endpoints saw frames that can be read: whole requests, none on a stream that had ended. Clients saw answers that h11 reads, no more than
they had asked for, none with bytes that no endpoint sent. Nothing failed, nothing is left, nothing goes on for ever.
"""

from __future__ import annotations

import atexit
from random import Random

from hpack import Decoder
from hyperframe.frame import DataFrame, Frame, HeadersFrame, SettingsFrame

from haystack.model.records import ConnectionOptions
from tests.fakes.http2 import PREFACE, cut
from tests.fuzz import mutate, oracles, run, script
from tests.fuzz.ends import End, Places
from tests.fuzz.fuzz_exchange import play
from tests.fuzz.fuzz_http2 import judge_frame
from tests.fuzz.rig import Rig
from tests.fuzz.script import Deed

PLACES = Places()
atexit.register(PLACES.close)
GREETING = SettingsFrame(0).serialize()
OK = b"\x88"  # :status 200 by the static table (RFC 7541, appendix A)
PSEUDO = [b":method", b":path", b":scheme"]
AUTHORITY = [b":authority"]  # where Host is empty, or is not there, there is none (RFC 9113, section 8.3.1)


class Http2UpRig(Rig):
    """Its endpoints say at once that they speak HTTP/2."""

    def __init__(self, places: Places) -> None:
        super().__init__(places)
        for endpoint in self.service.endpoints:
            endpoint.use(ConnectionOptions(protocol="h2c"))

    def look(self) -> bool:
        known = len(self.endpoints)
        moved = super().look()
        for end in self.endpoints[known:]:
            end.send(GREETING)
        return moved

    def leave(self) -> None:
        """A connection that is being set up stays for whoever asks next, until its time to connect is over."""
        super().leave()
        self.sweep()
        self.settle()


def one(data: bytes) -> None:
    """Play one script, then look at what everybody saw."""
    rig = Http2UpRig(PLACES)
    for deed, payload in script.read(data):
        if deed == Deed.ENDPOINT_ANSWERS:
            answer(rig.endpoint(), payload)
        elif deed != Deed.AT_ONCE:
            play(rig, deed, payload)
        rig.settle()
    rig.close()
    for end in rig.endpoints:
        judge_endpoint(end)
    sent = b"".join(bytes(end.sent) for end in rig.endpoints)
    for end in rig.clients:
        judge_client(end, sent)
    rig.assert_empty()


def answer(end: End | None, payload: bytes) -> None:
    """A plain 200 on the stream that was asked for last, or one of those before; payload: which."""
    streams = [frame.stream_id for frame in frames(end) if isinstance(frame, HeadersFrame)] if end else []
    if end and streams:
        stream = streams[-1 - (payload[0] if payload else 0) % len(streams)]
        head = HeadersFrame(stream, OK, flags=["END_HEADERS"])
        end.send(head.serialize() + DataFrame(stream, b"ok", flags=["END_STREAM"]).serialize())


def frames(end: End) -> list[Frame]:
    """What an endpoint saw behind the preface, the last frame maybe in part."""
    seen = bytearray(end.seen)
    assert PREFACE.startswith(seen[: len(PREFACE)]), seen[:40]
    del seen[: len(PREFACE)]
    found = []
    while (frame := cut(seen)) is not None:
        found.append(frame)
    return found


def judge_endpoint(end: End) -> None:
    """What one saw."""
    decoder, over, newest = Decoder(), set[int](), 0
    for frame in frames(end):
        judge_frame(frame, over)
        if isinstance(frame, HeadersFrame):
            fields = decoder.decode(frame.data, raw=True)
            if frame.stream_id > newest:
                newest = frame.stream_id
                assert sorted(name for name, _ in fields if name.startswith(b":")) in (PSEUDO, AUTHORITY + PSEUDO), fields
            else:
                assert not any(name.startswith(b":") for name, _ in fields), fields
            assert not {b"connection", b"transfer-encoding", b"upgrade", b"keep-alive"}.intersection(name for name, _ in fields), fields


def judge_client(end: End, sent: bytes) -> None:
    """What one saw. sent: by all endpoints."""
    methods = [method for method, _, _ in oracles.requests_of(bytes(end.sent))]
    found, left = oracles.answers(bytes(end.seen), [*methods, b"GET"])
    assert not left, f"an answer that nobody asked for: {left[:80]!r}"
    for each in found:
        assert each.own or set(each.body) <= set(sent), each


def changed(data: bytes, max_size: int, seed: int) -> bytes:
    """atheris's custom mutator: damage to deeds and to frames."""
    return script.changed(Random(seed), data, OTHERS)[:max_size]


OTHERS: list[bytes] = []

if __name__ == "__main__":
    OTHERS += mutate.corpus("http2_up").values()
    run.main(one, changed, explain=script.told)
