"""Standard error that nobody reads: the log goes on, and says later what is missing."""

from __future__ import annotations

import fcntl
import json
import os
import time
from collections.abc import Iterator

import pytest
import structlog

from haystack.observe import logs
from haystack.observe.unblocked import PATIENCE_MS

SIZE = 16384  # bytes of the pipe
log = structlog.get_logger("test")


@pytest.fixture
def reader() -> Iterator[int]:
    """The end of a small pipe that the log is written to."""
    reads, writes = os.pipe()
    fcntl.fcntl(writes, fcntl.F_SETPIPE_SZ, SIZE)
    with os.fdopen(writes, "w") as stream:
        logs.configure("info", "json", stream)
        yield reads
    logs.configure()
    structlog.reset_defaults()
    os.close(reads)


def lines(reader: int) -> list[dict[str, object]]:
    return [json.loads(line) for line in os.read(reader, 1 << 20).splitlines() if line.strip()]


def test_a_log_that_nobody_reads_holds_nothing_up(reader: int) -> None:
    began = time.monotonic()
    for number in range(500):
        log.info("filled", number=number, text="x" * 100)
    assert time.monotonic() - began < 500 * PATIENCE_MS / 1000 / 2
    first = lines(reader)
    assert [each["number"] for each in first] == list(range(len(first)))
    log.info("read again")
    again, lost = lines(reader)
    assert (again["event"], lost["event"], lost["lines"]) == ("read again", "log.lost", 500 - len(first))


def test_a_line_that_was_torn_ends_before_the_next(reader: int) -> None:
    log.info("long", text="y" * 2 * SIZE)
    assert len(os.read(reader, 1 << 20)) == SIZE
    log.info("short")
    assert [each["event"] for each in lines(reader)] == ["short", "log.lost"]
