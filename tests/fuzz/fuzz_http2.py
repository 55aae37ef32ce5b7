"""Fuzz target: a script as in fuzz_exchange.py, whose clients send frames of HTTP/2 behind preface and SETTINGS.

Clients saw frames that can be read, none on a stream that had ended; endpoints saw requests in normal form, that all readers read alike.
Nothing failed, nothing is left, nothing goes on for ever.
"""

from __future__ import annotations

import atexit
from random import Random

from hpack import Decoder
from hyperframe.frame import DataFrame, Frame, HeadersFrame, RstStreamFrame, SettingsFrame

from tests.differential import compare
from tests.fakes.http2 import PREFACE, cut
from tests.fuzz import mutate, oracles, run, script
from tests.fuzz.ends import End, Places
from tests.fuzz.fuzz_exchange import play
from tests.fuzz.rig import Rig
from tests.fuzz.script import Deed

PLACES = Places()
atexit.register(PLACES.close)
BEGINNING = PREFACE + SettingsFrame(0).serialize()


class Http2Rig(Rig):
    """Its clients have said already that they speak HTTP/2."""

    def connect(self) -> End:
        end = super().connect()
        end.send(BEGINNING)
        return end


def one(data: bytes) -> None:
    """Play one script, then look at what everybody saw."""
    rig = Http2Rig(PLACES, h2c=True, max_streams=8)
    for deed, payload in script.read(data):
        if deed != Deed.AT_ONCE:
            play(rig, deed, payload)
        rig.settle()
    rig.close()
    for end in rig.clients:
        judge_client(bytearray(end.seen))
    for end in rig.endpoints:
        judge_endpoint(end)
    rig.assert_empty()


def judge_client(seen: bytearray) -> None:
    """What one saw: frames, the last maybe in part."""
    decoder, over = Decoder(), set()
    while seen.startswith(b"HTTP/1."):  # it was answered before its preface was whole
        return
    while (frame := cut(seen)) is not None:
        judge_frame(frame, over)
        if isinstance(frame, HeadersFrame):
            assert decoder.decode(frame.data, raw=True)


def judge_frame(frame: Frame, over: set[int]) -> None:
    """One, and whether its stream had ended before. over: those that have."""
    assert frame.body_len <= 16384, frame
    if isinstance(frame, HeadersFrame | DataFrame):
        assert frame.stream_id not in over, frame
        if "END_STREAM" in frame.flags:
            over.add(frame.stream_id)
    elif isinstance(frame, RstStreamFrame):
        over.add(frame.stream_id)


def judge_endpoint(end: End) -> None:
    """The heads that one saw."""
    wire = bytes(end.seen)
    for request in oracles.requests_at(end):
        head, _, wire = wire.partition(b"\r\n\r\n")
        compare.heads(head + b"\r\n\r\n", request=True)
        if request.all(b"transfer-encoding") or request.all(b"content-length"):
            return  # its body is fuzz_exchange.py's affair


def changed(data: bytes, max_size: int, seed: int) -> bytes:
    """atheris's custom mutator: damage to deeds and to frames."""
    return script.changed(Random(seed), data, OTHERS)[:max_size]


OTHERS: list[bytes] = []

if __name__ == "__main__":
    OTHERS += mutate.corpus("http2").values()
    run.main(one, changed, explain=script.told)
