"""Frames are put together from whatever pieces come, and no more is read than is taken."""

from __future__ import annotations

import asyncio
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haystack.proxy.frames import KEPT, PIECE, ROOM, Frames

MOST = 1 << 20
sizes = st.integers(0, 300) | st.integers(ROOM - 10, ROOM + 10) | st.integers(0, 3 * ROOM)


class Transport:
    """What was asked of it, in order."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def pause_reading(self) -> None:
        self.asked.append("pause")

    def resume_reading(self) -> None:
        self.asked.append("resume")

    def abort(self) -> None:
        self.asked.append("abort")


def opened(most: int = MOST) -> tuple[Frames, Transport]:
    made, transport = Frames(most), Transport()
    made.connection_made(transport)  # type: ignore[arg-type]
    return made, transport


def feed(frames: Frames, data: bytes, most: int = 1 << 30) -> None:
    """As a loop does: as much as there is place for, and so many bytes at most, at a time."""
    while data:
        place = frames.get_buffer(-1)
        size = min(len(place), most, len(data))
        assert size > 0
        place[:size] = data[:size]
        data = data[size:]
        frames.buffer_updated(size)


def framed(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body


async def taken(frames: Frames) -> list[bytes]:
    """All until the end."""
    found = []
    while (frame := await frames.next()) is not None:
        found.append(bytes(frame))
    return found


@given(st.lists(sizes, max_size=6), st.integers(1, 2 * ROOM))
def test_frames_come_as_they_were_sent_whatever_pieces_they_come_in(given_sizes: list[int], most: int) -> None:
    bodies = [bytes([number]) * size for number, size in enumerate(given_sizes)]
    frames, _ = opened()
    feed(frames, b"".join(map(framed, bodies)) + b"\0\0", most if sum(given_sizes) < 5000 else max(most, 1000))
    frames.connection_lost(None)
    assert asyncio.run(taken(frames)) == bodies


@pytest.mark.parametrize("size", [PIECE - 1, PIECE, PIECE + 1, 3 * PIECE, 3 * PIECE + 1])
@pytest.mark.parametrize("most", [ROOM, 1000 * 1000, 1 << 30])
def test_a_large_frame_is_put_together_of_its_pieces(size: int, most: int) -> None:
    bodies = [bytes(range(250)) * (size // 250 + 1), b"after"]
    bodies[0] = bodies[0][:size]
    frames, _ = opened(4 * PIECE)
    feed(frames, b"".join(map(framed, bodies)), most)
    frames.connection_lost(None)
    assert asyncio.run(taken(frames)) == bodies


def test_a_frame_has_memory_for_what_has_come_of_it_and_not_for_what_it_says_will() -> None:
    frames, _ = opened(64 * PIECE)
    tracemalloc.start()
    try:
        feed(frames, (64 * PIECE).to_bytes(4, "big") + b"x")
        said = tracemalloc.get_traced_memory()[1]
        feed(frames, bytes(3 * PIECE))
        come = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert said < PIECE + 2 * ROOM
    assert come < 8 * PIECE  # what is fed is there too


async def test_no_more_is_read_than_is_taken() -> None:
    frames, transport = opened()
    half = b"x" * (KEPT // 2)
    feed(frames, framed(half) * 2)
    assert transport.asked == []
    feed(frames, framed(half))
    assert transport.asked == ["pause"]
    assert await frames.next() == half
    assert transport.asked == ["pause", "resume"]


async def test_a_frame_that_is_too_large_ends_the_connection_and_what_came_before_counts() -> None:
    frames, transport = opened()
    feed(frames, framed(b"before") + (MOST + 1).to_bytes(4, "big") + b"x")
    assert transport.asked == ["abort"]
    assert await taken(frames) == [b"before"]


async def test_whoever_waits_for_a_frame_is_told_of_the_end() -> None:
    frames, _ = opened()
    waiting = asyncio.create_task(frames.next())
    await asyncio.sleep(0)
    frames.connection_lost(ConnectionResetError())
    assert await waiting is None
