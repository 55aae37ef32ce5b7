"""What a worker sends up of traces and spans: rows of the data plane as records, some in a message. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import msgspec

from haystack._fast.worker.traces import Traces
from haystack.model.reports import Span, trace_of
from haystack.proxy import ipc

TOGETHER = 50  # in a message: the control process does something else between two of them
Row = tuple[Any, ...]


def taken(traces: Traces, worker: int, listener: Callable[[int], str]) -> Iterator[ipc.Traces | ipc.Spans]:
    """Messages about all since the last call. worker: its number; listener: what the one on a port is called."""

    def trace(row: Row) -> bytes:
        return msgspec.msgpack.encode(trace_of(row, worker, listener))

    def span(row: Row) -> bytes:
        return msgspec.msgpack.encode(Span(trace_of(row[0], worker, listener), *(ident.decode() for ident in row[1:])))

    for rows, lost in _batches(*traces.take()):
        yield ipc.Traces(tuple(map(trace, rows)), lost)
    for rows, lost in _batches(*traces.spans.take()):
        yield ipc.Spans(tuple(map(span, rows)), lost)


def _batches(rows: list[Row], lost: int) -> Iterator[tuple[list[Row], int]]:
    for at in range(0, max(len(rows), lost > 0), TOGETHER):
        yield rows[at : at + TOGETHER], 0 if at else lost
