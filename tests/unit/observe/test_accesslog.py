"""The access log's way out: batches go out whole and in order; a slow reader holds nobody up, and costs lines that are counted."""

import os
import threading

import pytest
import structlog

from haystack.observe.accesslog import AccessLog

SECONDS = 10.0


@pytest.fixture
def pipe():
    ends = [os.fdopen(end, mode, buffering=0) for end, mode in zip(os.pipe(), ("rb", "wb"), strict=True)]
    yield ends
    for end in ends:
        end.close()


@pytest.fixture
def said():
    with structlog.testing.capture_logs() as lines:
        yield lines


def read(end, size):
    """So many bytes of a pipe."""
    parts = []
    while size:
        parts.append(end.read(size))
        size -= len(parts[-1])
    return b"".join(parts)


def test_batches_go_out_in_order_and_closing_waits_for_the_last(pipe, said):
    reader, writer = pipe
    log = AccessLog(writer.fileno())
    batches = [b"%d\n" % n * 3 for n in range(100)]
    for batch in batches:
        log.take(batch, 3)
    log.close(SECONDS)
    assert read(reader, sum(map(len, batches))) == b"".join(batches)
    assert said == []


def test_a_reader_that_stands_still_holds_nobody_up_and_loses_the_oldest_that_wait(pipe, said):
    reader, writer = pipe
    log = AccessLog(writer.fileno(), limit=1 << 20)
    filling = b"f" * (1 << 19)
    log.take(filling, 1)
    first = reader.read(1)  # now the thread holds the first batch, and the pipe is too small for it
    batches = [b"%03d\n" % n * 1024 for n in range(200)]
    for batch in batches:
        log.take(batch, 1024)
    sizes = len(filling) - 1 + (1 << 19)
    got = read(reader, sizes)
    log.close(SECONDS)
    assert first + got == filling + b"".join(batches[-128:])
    assert sum(line["lines"] for line in said) == 72 * 1024
    assert {line["event"] for line in said} == {"accesslog.lost"}


def test_what_the_worker_had_no_room_for_is_said_too(pipe, said):
    log = AccessLog(pipe[1].fileno())
    log.take(b"line\n", 1, dropped=7)
    log.close(SECONDS)
    assert [line["lines"] for line in said] == [7]


def test_closing_does_not_wait_for_ever_and_counts_what_is_left(pipe, said):
    reader, writer = pipe
    log = AccessLog(writer.fileno())
    log.take(b"f" * (1 << 20), 5)
    first = reader.read(1)
    log.take(b"line\n" * 9, 9)
    log.close(0.01)
    assert sum(line["lines"] for line in said) == 9
    rest = threading.Thread(target=read, args=(reader, (1 << 20) - len(first)))  # lets the thread of the log end
    rest.start()
    rest.join(SECONDS)
    assert not rest.is_alive()


def test_a_reader_that_is_gone_costs_lines_and_says_why(said):
    reader, writer = os.pipe()
    os.close(reader)
    log = AccessLog(writer)
    log.take(b"line\n", 1)
    log.close(SECONDS)
    os.close(writer)
    assert [(line["lines"], line["reason"]) for line in said] == [(1, "Broken pipe")]
