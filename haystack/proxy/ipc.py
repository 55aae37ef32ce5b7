"""The socketpair between the control process and one worker: whole messages, both ways, in order.

A frame is four bytes of length, big endian, and a msgpack-encoded message. Down: Setup first, then tables and orders; up: counts and traces
in batches. Never blocks: writes are queued, and a peer that is gone ends the reading side.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator
from time import perf_counter

import msgspec

from haystack.dns.messages import (
    Askers,
    DnsCounts,
    DnsForget,
    DnsOpen,
    DnsPeers,
    DnsRows,
    DnsSetup,
    Questions,
    Resolved,
    Subnets,
    Who,
    ZonePart,
)
from haystack.loop.turns import TURN
from haystack.model.reports import FailureRow, Outcome, Sampling
from haystack.proxy.frames import Frames
from haystack.proxy.limits import Limits
from haystack.routing.rows import Message, Table
from haystack.tls.messages import Authorities, ClientCas, TicketKeys, TlsPart

MAX_FRAME = 256 * 1024 * 1024
MAX_UP = 16 * 1024 * 1024  # bytes of what a worker says: the access log of a tick has 8 MiB at most, the rows of the DNS log 4, spans 2


class Setup(Message, frozen=True):
    """The first message down.

    dns: None: it does not answer DNS. ports: of the listeners by index; hold: accept nobody before Open; access_log and its
    fields: as the settings have them; instance: as via.py has it. sampling: None: no spans are recorded.
    listeners: their names; tls_min: the oldest version of TLS; tls_clients: they are asked for certificates (ClientCas).
    admin_connections: to the control process (0: any number); admin_apart: on the last listener alone; health_socket, proof_socket: for
    everybody.
    """

    slot: int
    ports: tuple[int, ...]
    admin_socket: str
    admin_hosts: tuple[str, ...]
    limits: Limits
    workers: int = 1
    hold: bool = False
    access_log: str = "off"
    access_log_fields: tuple[str, ...] = ()
    admin_connections: int = 0
    admin_apart: bool = False
    health_socket: str = ""
    proof_socket: str = ""
    instance: str = ""
    dns: DnsSetup | None = None
    sampling: Sampling | None = None
    listeners: tuple[str, ...] = ()
    tls_min: str = "1.2"
    tls_clients: bool = False


class Access(Message, frozen=True):
    """What clients may, by their addresses, from now on (access.Table); before the first one nobody may anything."""

    v4: bytes
    v6: bytes


class Open(Message, frozen=True):
    """Accept from now on."""


class Proofs(Message, frozen=True):
    """(host, token) of each challenge that is pending (RFC 8555, section 8.3): who asks for it is led to Setup.proof_socket."""

    pending: tuple[tuple[str, str], ...] = ()


class TraceOrder(Message, frozen=True):
    """Record exchanges from now on, or no more; service None: all of them."""

    on: bool
    service: str | None = None


class Collect(Message, frozen=True):
    """Ask for Counts with this number at once."""

    number: int


class Load(Message, frozen=True):
    """Ask for Loads with this number at once. endpoints: their ids; none: all. service: whose exchanges count; empty: all do."""

    number: int
    endpoints: tuple[str, ...] = ()
    service: str = ""


class Drain(Message, frozen=True):
    """Accept no more, finish what runs, and exit within so many seconds. patient: let clients between two requests ask once more."""

    seconds: float
    patient: bool = False


class Ready(Message, frozen=True):
    """The worker serves this version of the table."""

    version: int


class Beat(Message, frozen=True):
    """The worker's loop turns."""


MemberRow = tuple[str, int, str, str, int]  # service, listener's port, and the endpoint's id, address and port
# Exchanges that have ended, by class of status (none, 1xx to 5xx), bytes received and sent, retries, nanoseconds in all, and (slot, count)
# one behind the other: how many took how long (model/durations.py). Retries of an endpoint: tries after which another was looked for.
Tally = tuple[tuple[int, ...], int, int, int, int, tuple[int, ...]]
# Name, its exchanges that no endpoint had, (cell, count) of all one behind the other, retries, exchanges that waited for an endpoint, for
# how many milliseconds, and how many more wait now. A cell is 6 times the method (http1/method.pxd), and the class of status.
ServiceTally = tuple[str, Tally | None, tuple[int, ...], int, int, int, int]
LoadRow = tuple[str, int, int]  # endpoint's id, how many more exchanges are in flight, and connections pooled


class Counts(Message, frozen=True):
    """What was new since the last Counts: (member, requests) rows; a member's number is its place among all that were ever told, from 1.

    members: those told for the first time: names cost once, not a second; gone: those that no row will be about any more, though the same
    endpoint may come back as another member; errors: (word of RFC 9209, status, exchanges) rows; status 0: the client got no answer.
    ended, services: exchanges that have ended; loads: what has changed at endpoints; clients: connections of clients now.
    handshakes: of TLS: (peer, how they ended, how many), by their places in traffic.PEERS and ENDS.
    hidden, gateway, outside: connections from gateways of engines' networks, the first of these, connections from outside of those.
    The other figures are since the worker's start.
    """

    number: int
    requests: tuple[tuple[int, int], ...]
    exchanges: int
    statuses: tuple[int, ...]
    connections: int
    members: tuple[MemberRow, ...] = ()
    errors: tuple[tuple[str, int, int], ...] = ()
    gone: tuple[int, ...] = ()
    hidden: int = 0
    gateway: str = ""
    outside: int = 0
    ended: tuple[tuple[int, Tally], ...] = ()
    services: tuple[ServiceTally, ...] = ()
    loads: tuple[LoadRow, ...] = ()
    clients: int = 0
    handshakes: tuple[tuple[int, int, int], ...] = ()


class Loads(Message, frozen=True):
    """(id, exchanges in flight) of endpoints that have any."""

    number: int
    rows: tuple[tuple[str, int], ...]


class Failures(Message, frozen=True):
    """Endpoints that failed, in batches, a tenth of a second after they did at the latest; refusals at once."""

    rows: tuple[FailureRow, ...]


class Unintroduced(Message, frozen=True):
    """(address, why) of connections that were closed, for they had to begin with a PROXY header."""

    rows: tuple[tuple[str, str], ...]


class Traces(Message, frozen=True):
    """Exchanges as msgpack of model.reports.Trace, and how many more there was no room for."""

    traces: tuple[bytes, ...]
    dropped: int = 0


class Spans(Message, frozen=True):
    """Spans as _fast/log/otlp_span.pyx has them, of so many exchanges, and how many more there was no room for. A part of the frame."""

    spans: memoryview
    count: int
    dropped: int


class Outcomes(Message, frozen=True):
    """Exchanges that went wrong, and how many more there was no room for."""

    outcomes: tuple[Outcome, ...]
    left: int = 0


class Lines(Message, frozen=True):
    """The access log of one tick: whole lines, how many, and how many more there was no room for. It comes as a part of the frame."""

    lines: memoryview
    count: int
    dropped: int


Orders = Setup | Access | Open | Table | Proofs | TraceOrder | Collect | Load | Drain | TlsPart | TicketKeys | ClientCas | Authorities
Down = Orders | ZonePart | Subnets | DnsOpen | DnsPeers | DnsForget | Resolved | Who
Any = (
    Down
    | Ready
    | Beat
    | Counts
    | Loads
    | Failures
    | Unintroduced
    | Traces
    | Spans
    | Outcomes
    | Lines
    | Questions
    | DnsCounts
    | DnsRows
    | Askers
)

DECODER: msgspec.msgpack.Decoder[Any] = msgspec.msgpack.Decoder(Any)  # made at the import: it takes some milliseconds


class Channel:
    """One end of the socketpair. ConnectionError from nothing here: a peer that is gone only ends `messages`.

    most: bytes of a message of the peer's; one that says more is treated as gone.
    """

    def __init__(self, sock: socket.socket, most: int = MAX_FRAME) -> None:
        self._socket = sock
        self._most = most
        self._encoder = msgspec.msgpack.Encoder()
        self._frames: Frames | None = None

    async def open(self) -> None:
        """Attach to the running loop."""
        _, self._frames = await asyncio.get_running_loop().create_unix_connection(lambda: Frames(self._most), sock=self._socket)

    def fileno(self) -> int:
        """The descriptor, for whoever wants to know when there is something to read."""
        return self._socket.fileno()

    def send(self, message: Any) -> None:
        """Queue one message."""
        if self._frames is None or self._frames.transport.is_closing():
            return
        body = self._encoder.encode(message)
        self._frames.transport.writelines((len(body).to_bytes(4, "big"), body))

    @property
    def unsent(self) -> int:
        """Bytes that the peer has not taken yet."""
        return 0 if self._frames is None else self._frames.transport.get_write_buffer_size()

    async def messages(self) -> AsyncIterator[Any]:
        """Each message that arrives, until the peer is gone. Where many are there already, others have their turn between them."""
        if self._frames is None:
            return
        over = perf_counter() + TURN
        while (body := await self._frames.next()) is not None:
            yield DECODER.decode(body)
            if perf_counter() > over:
                await asyncio.sleep(0)
                over = perf_counter() + TURN

    def close(self) -> None:
        """Close this end."""
        if self._frames is not None:
            self._frames.transport.close()
        else:
            self._socket.close()
