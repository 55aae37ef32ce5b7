"""Callbacks for the messages of workers: traces, spans, access log lines, failures; and for what becomes of workers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import msgspec

from haystack.dns.messages import DnsRows, Question, Questions, Resolved
from haystack.model.reports import FailureRow, Outcome, Trace
from haystack.observe.journal import Note, unnoted
from haystack.proxy import ipc
from haystack.proxy.worker_slot import Slot


@dataclass
class Readers:
    """One callback for each kind of message; each does nothing until app.py sets it."""

    traces_lost: Callable[[int], None] = lambda _count: None
    trace: Callable[[Trace], None] = lambda _trace: None
    outcomes: Callable[[Sequence[Outcome], int], None] = lambda _outcomes, _left: None
    failures: Callable[[Sequence[FailureRow]], None] = lambda _rows: None
    spans: Callable[[memoryview, int, int], None] = lambda _spans, _count, _dropped: None
    lines: Callable[[memoryview, int, int], None] = lambda _lines, _count, _dropped: None
    dns_rows: Callable[[int, bytes, int, int], None] = lambda _worker, _rows, _count, _dropped: None
    places: Callable[[Sequence[Slot]], None] = lambda _workers: None
    unintroduced: Callable[[Sequence[tuple[str, str]]], None] = lambda _rows: None
    note: Note = unnoted
    hopeless: Callable[[], None] = lambda: None
    questions: Callable[[Sequence[Question], Callable[[Resolved], None]], None] = lambda _questions, _reply: None

    def take(self, message: ipc.Any, reply: Callable[[ipc.Any], None]) -> None:
        """Tell the one whom this message is for. reply: to the worker that sent it."""
        match message:
            case Questions():
                self.questions(message.questions, reply)
            case DnsRows():
                self.dns_rows(message.worker, message.rows, message.count, message.dropped)
            case ipc.Failures():
                self.failures(message.rows)
            case ipc.Unintroduced():
                self.unintroduced(message.rows)
            case ipc.Outcomes():
                self.outcomes(message.outcomes, message.left)
            case ipc.Lines():
                self.lines(message.lines, message.count, message.dropped)
            case ipc.Spans():
                self.spans(message.spans, message.count, message.dropped)
            case ipc.Traces():
                self.traces_lost(message.dropped)
                for trace in message.traces:
                    self.trace(msgspec.msgpack.decode(trace, type=Trace))
