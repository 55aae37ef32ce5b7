"""What a worker tells of single exchanges, as messages: traces, spans, and outcomes of those that went wrong. Never waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from haystack.model.reports import outcome_of, trace_of
from haystack.proxy import ipc

if TYPE_CHECKING:
    from haystack._fast.worker.traces import Traces

TOGETHER = 50  # in a message: the control process does something else between two of them
Listener = Callable[[int], str]  # what the one on this port is called
Row = tuple[Any, ...]


def messages(kept: Traces, slot: int, listener: Listener) -> Iterator[ipc.Traces | ipc.Spans | ipc.Outcomes]:
    """All that was kept since the last call. slot: of the worker."""

    def trace(row: Row) -> bytes:
        return msgspec.msgpack.encode(trace_of(row, slot, listener))

    for rows, lost in _batches(*kept.take()):
        yield ipc.Traces(tuple(map(trace, rows)), lost)
    if taken := kept.spans.take():
        spans, count, lost = taken
        yield ipc.Spans(memoryview(spans), count, lost)
    for rows, left in _batches(*kept.take_outcomes()):
        yield ipc.Outcomes(tuple(outcome_of(each, slot, listener) for each in rows), left)


def _batches(rows: list[Row], lost: int) -> Iterator[tuple[list[Row], int]]:
    for at in range(0, max(len(rows), lost > 0), TOGETHER):
        yield rows[at : at + TOGETHER], 0 if at else lost
