"""What a worker tells of single exchanges, as messages: traces for who follows them, and outcomes of those that went wrong. Never waits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import msgspec

from haystack.model.reports import outcome_of, trace_of
from haystack.proxy import ipc

if TYPE_CHECKING:
    from haystack._fast.worker.traces import Traces

TRACED = 50  # in a message: the control process does something else between two of them
Listener = Callable[[int], str]  # what the one on this port is called


def messages(kept: Traces, slot: int, listener: Listener) -> Iterator[ipc.Traces | ipc.Outcomes]:
    """All that was kept since the last call. slot: of the worker."""
    traces, lost = kept.take()
    for at in range(0, max(len(traces), lost > 0), TRACED):
        told = tuple(msgspec.msgpack.encode(trace_of(each, slot, listener)) for each in traces[at : at + TRACED])
        yield ipc.Traces(told, 0 if at else lost)
    outcomes, left = kept.take_outcomes()
    for at in range(0, max(len(outcomes), left > 0), TRACED):
        yield ipc.Outcomes(tuple(outcome_of(each, slot, listener) for each in outcomes[at : at + TRACED]), 0 if at else left)
