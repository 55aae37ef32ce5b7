"""What a worker tells of single exchanges, as messages: traces for who follows them, spans, and outcomes of those that went wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from haystack.model.reports import Span, outcome_of, trace_of
from haystack.proxy import ipc

if TYPE_CHECKING:
    from haystack._fast.worker.traces import Traces

TOGETHER = 50  # in a message: the control process does something else between two of them
Listener = Callable[[int], str]  # what the one on this port is called
Row = tuple[Any, ...]


def messages(kept: Traces, slot: int, listener: Listener) -> Iterator[ipc.Traces | ipc.Spans | ipc.Outcomes]:
    """All that was kept since the last call. slot: of the worker."""
    traces, lost = kept.take()
    for at in range(0, max(len(traces), lost > 0), TRACED):
        told = tuple(msgspec.msgpack.encode(trace_of(each, slot, listener)) for each in traces[at : at + TRACED])
        yield ipc.Traces(told, 0 if at else lost)
    spans, lost = kept.spans.take()
    for at in range(0, max(len(spans), lost > 0), TRACED):
        yield ipc.Spans(tuple(_span(each, slot, listener) for each in spans[at : at + TRACED]), 0 if at else lost)
    outcomes, left = kept.take_outcomes()
    for at in range(0, max(len(outcomes), left > 0), TRACED):
        yield ipc.Outcomes(tuple(outcome_of(each, slot, listener) for each in outcomes[at : at + TRACED]), 0 if at else left)


def _span(row: tuple[Any, ...], slot: int, listener: Listener) -> bytes:
    """A row and the ids of its spans, as the control process gets them."""
    trace, *ids = row
    return msgspec.msgpack.encode(Span(trace_of(trace, slot, listener), *(each.decode() for each in ids)))
