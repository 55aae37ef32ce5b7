"""What comes back from the workers, as immutable data: failures, which enter the catalog like a listing, and how exchanges went."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

HTTP2 = 20  # as rows have it
FAILED = 500  # statuses from here on
LONGEST = 200  # characters


class FailureRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What a worker saw of one endpoint since its last row about it. key: the endpoint's id, as the endpoint has it.

    requests: exchanges that ended there, well or not; refused: connections that were refused or could not be made; resets: broken off
    before the end of an answer; timeouts: of connecting and of answering; errors: answers of 500, 502, 503 and 504; streak: failures in
    a row up to now, 0 once one went well; unanswered: requests that it has said nothing to for quiet_ms, while others of its service
    answered. A row goes up for each endpoint that has failed since its last row, and one more when one whose last row had a streak has
    answered well. The last four compare it with the others of the service that was asked, but for refused connections: exchanges that ended
    since its last row, or since the fault that began this, and faults among them; its own, and those of all others.
    """

    key: str
    service: str
    requests: int
    refused: int = 0
    resets: int = 0
    timeouts: int = 0
    errors: int = 0
    streak: int = 0
    unanswered: int = 0
    quiet_ms: int = 0
    ended: int = 0
    faulty: int = 0
    others: int = 0
    others_faulty: int = 0


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """One exchange as it went.

    time: Unix seconds of its end; phases in milliseconds (-1: not reached); received and sent: bytes of the bodies.
    candidates: ``IP:PORT`` in the order in which they were tried, the last one being `endpoint`; error: a word of RFC 9209,
    section 2.3, or empty; detail: the same in words, as the answer has it; referrer, user_agent: what the client says in Referer and
    User-Agent; trace_id: of W3C Trace Context, or empty; client_subject: of the certificate that the client has shown, or empty; protocol:
    how the endpoint that was tried last is spoken to, as haystack.protocol has it; empty where none was, or TLS is passed through.
    """

    time: float
    worker: int
    listener: str
    client: str
    method: str
    host: str
    target: str
    service: str
    candidates: tuple[str, ...]
    endpoint: str
    reused: bool
    status: int
    received: int
    sent: int
    route_ms: float
    connect_ms: float
    first_byte_ms: float
    total_ms: float
    request_id: str = ""
    version: str = "1.1"
    error: str = ""
    detail: str = ""
    referrer: str = ""
    user_agent: str = ""
    trace_id: str = ""
    client_subject: str = ""
    protocol: str = ""


class Sampling(msgspec.Struct, frozen=True, array_like=True):
    """Of which requests spans are recorded: of such a share (0 to 1), by the trace id. heeds_caller: or as the caller has decided."""

    ratio: float
    heeds_caller: bool


class Outcome(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An exchange that failed, or was sent to another endpoint than the first: so much of it as is kept for a while.

    The fields are those of Trace; target and detail are cut after LONGEST characters, and total_ms is exact to the millisecond or so.
    retried: why it was taken away from the first endpoint, a word of RFC 9209 or `status 503`; empty: it was not.
    """

    time: float
    worker: int
    listener: str
    client: str
    method: str
    host: str
    target: str
    service: str
    candidates: tuple[str, ...]
    endpoint: str
    status: int
    total_ms: float
    request_id: str = ""
    error: str = ""
    detail: str = ""
    retried: str = ""

    @property
    def failed(self) -> bool:
        """Whether its client got no answer, or not what it asked for."""
        return bool(self.error) or self.status >= FAILED

    @property
    def moved(self) -> bool:
        """Whether it was sent more than once."""
        return len(self.candidates) > 1


def outcome_of(told: tuple[tuple[Any, ...], bytes], worker: int, listener: Callable[[int], str]) -> Outcome:
    """The record of a row and its retry, as Traces.take_outcomes has them. listener: as in trace_of."""
    row, retried = told
    trace = trace_of(row, worker, listener)
    kept = {name: getattr(trace, name) for name in Outcome.__struct_fields__ if name != "retried"}
    kept |= {name: kept[name][:LONGEST] for name in ("method", "host", "target", "detail", "request_id")}
    return Outcome(**kept, retried=retried.decode())


def trace_of(row: tuple[Any, ...], worker: int, listener: Callable[[int], str]) -> Trace:
    """The record of a row as _fast/exchange/record.pyx makes it. listener: what the one on this port is called."""
    when, port, client, method, host, target, identity, version, tried, service, endpoint, reused, status, received, sent = row[:15]
    route, connect, first, total, error, detail, referrer, agent, trace_id, subject, protocol = row[15:]
    return Trace(
        time=when,
        worker=worker,
        listener=listener(port),
        client=client.decode(),
        method=method.decode("latin-1"),
        host=host.decode("latin-1"),
        target=target.decode("latin-1"),
        service=service,
        candidates=tuple(tried.decode().split("\0")[:-1]),
        endpoint=endpoint,
        reused=reused,
        status=status,
        received=received,
        sent=sent,
        route_ms=route,
        connect_ms=connect,
        first_byte_ms=first,
        total_ms=total,
        request_id=identity.decode("latin-1"),
        version=f"1.{version - 10}" if version < HTTP2 else "2",
        error=error.decode(),
        detail=detail.decode("latin-1"),
        referrer=referrer.decode("latin-1"),
        user_agent=agent.decode("latin-1"),
        trace_id=trace_id.decode("latin-1"),
        client_subject=subject.decode(),
        protocol=protocol.decode(),
    )
