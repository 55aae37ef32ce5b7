"""The memory of a session of HTTP/2: what stands in its room is as it was after that had been vacated, and the pages are gone meanwhile."""

from __future__ import annotations

import os

import pytest

from haystack._fast.http2.testing import Memory

PAGE = 4096
STATE, TABLE, STREAMS = 2928, 1024, 4096  # what nghttp2 1.52 asks for
FRAME = 16394

pytestmark = pytest.mark.skipif(os.sysconf("SC_PAGESIZE") != PAGE, reason="there are no rooms where pages are larger")


@pytest.fixture
def memory() -> Memory:
    return Memory()


def test_large_blocks_stand_in_the_room_until_the_session_is_made(memory: Memory) -> None:
    """The table of streams has a page to itself, whenever it comes."""
    blocks = [memory.calloc(1, STATE), memory.malloc(TABLE), memory.malloc(TABLE), memory.calloc(256, 16), memory.malloc(100)]
    assert [memory.place(block) for block in blocks] == [0, STATE, -1, PAGE, -1]
    memory.begin()
    blocks.append(memory.malloc(TABLE))
    assert memory.place(blocks[-1]) == -1
    for block in blocks:
        memory.free(block)


@pytest.mark.parametrize("size", [100, 1000, 3000])
def test_a_block_that_is_asked_for_empty_is_empty_whatever_was_there(size: int) -> None:
    first = Memory()
    block = first.malloc(4000)
    first.write(block, b"x" * 4000)
    del first
    second = Memory()
    block = second.calloc(size, 1)
    assert second.read(block, size) == bytes(size)
    second.free(block)


def test_more_than_fits_is_asked_of_the_c_library(memory: Memory) -> None:
    assert memory.place(memory.malloc(PAGE)) == PAGE
    assert memory.place(memory.malloc(PAGE)) == 0
    for block in (memory.malloc(PAGE), memory.malloc(PAGE + 1), memory.calloc(2, PAGE)):
        assert memory.place(block) == -1
        memory.free(block)
    assert memory.calloc(1 << 62, 8) == 0


def test_what_is_packed_takes_no_page_and_comes_back_as_it_was(memory: Memory) -> None:
    state, table, streams = memory.calloc(1, STATE), memory.malloc(TABLE), memory.calloc(1, STREAMS)
    was = bytes(i % 256 if i % 40 < 8 else 0 for i in range(STATE))
    memory.write(state, was)
    memory.write(table, bytes(TABLE - 8) + b"\x01\x02\x03\x04\x05\x06\x07\x80")
    memory.write(streams + STREAMS - 1, b"\xff")
    memory.begin()
    assert memory.pages() == 2
    assert memory.pack()
    assert memory.pages() == 0
    memory.rouse()
    assert memory.read(state, STATE) == was
    assert memory.read(table, TABLE) == bytes(TABLE - 8) + b"\x01\x02\x03\x04\x05\x06\x07\x80"
    assert memory.read(streams, STREAMS) == bytes(STREAMS - 1) + b"\xff"


def test_an_empty_table_of_streams_takes_no_page_until_there_is_a_stream(memory: Memory) -> None:
    state, streams = memory.calloc(1, STATE), memory.calloc(1, STREAMS)
    memory.write(state, b"state")
    memory.begin()
    assert memory.pack()
    memory.rouse()
    assert memory.pages() == 1
    memory.write(streams, b"stream")
    assert memory.pages() == 2


def test_it_is_packed_once_and_only_when_the_session_is_there(memory: Memory) -> None:
    memory.calloc(1, STATE)
    assert not memory.pack()
    memory.begin()
    assert memory.pack()
    assert not memory.pack()
    memory.rouse()
    memory.rouse()
    assert memory.pack()


def test_a_session_whose_state_and_table_are_full_is_packed(memory: Memory) -> None:
    """As those of clients that send many header fields: its table of streams is empty at rest, and that is half of it."""
    blocks = [memory.calloc(1, STATE), memory.malloc(TABLE), memory.calloc(1, STREAMS)]
    was = [bytes(1 + i % 255 for i in range(size)) for size in (STATE, TABLE)] + [bytes(STREAMS)]
    for block, data in zip(blocks, was, strict=True):
        memory.write(block, data)
    memory.begin()
    assert memory.pages() == 2
    assert memory.pack()
    assert memory.pages() == 0
    memory.rouse()
    assert [memory.read(block, len(data)) for block, data in zip(blocks, was, strict=True)] == was


@pytest.mark.parametrize("streams", [0, STREAMS])
def test_what_is_little_smaller_when_it_is_packed_stays(memory: Memory, streams: int) -> None:
    """More than half of the words are none that could be left out."""
    state = memory.calloc(1, STATE)
    memory.write(state, b"x" * STATE)
    if streams:
        memory.write(memory.calloc(1, streams), b"y" * streams)
    memory.begin()
    assert not memory.pack()
    assert memory.read(state, STATE) == b"x" * STATE


def test_a_block_of_the_room_can_grow_out_of_it(memory: Memory) -> None:
    table = memory.malloc(TABLE)
    memory.write(table, b"t" * TABLE)
    memory.begin()
    grown = memory.realloc(table, 2 * PAGE)
    assert memory.place(grown) == -1
    assert memory.read(grown, TABLE) == b"t" * TABLE
    memory.free(grown)


def test_the_block_of_a_frame_is_shared_by_all_but_twice_in_one(memory: Memory) -> None:
    other = Memory()
    block, second = memory.realloc(0, FRAME), memory.realloc(0, FRAME)
    assert block == other.realloc(0, FRAME) != second
    memory.free(second)
    memory.free(block)
    assert memory.realloc(0, FRAME) == block


def test_of_many_rooms_that_are_free_only_some_keep_their_pages() -> None:
    many = [Memory() for _ in range(300)]
    for each in many:
        each.write(each.malloc(PAGE), b"x")
    places = {each.malloc(1000) for each in many}
    assert len(places) == 300
    del each
    many.clear()
    again = [Memory() for _ in range(300)]
    assert sum(each.pages() for each in again) <= 2 * 64
    assert {each.malloc(1000) for each in again} == places  # no further address is taken
