"""One connection of the load in HTTP/2: as many requests at once as STREAMS, each checked as those of HTTP/1 are.

It heeds GOAWAY and REFUSED_STREAM as clients do (RFC 9113, section 8.7): what was not processed is asked again, and is no failure.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from h2 import events
from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.exceptions import ProtocolError

if TYPE_CHECKING:
    from bench.chaos.client import Load

STREAMS = 8  # requests at once on a connection
HEAD = 9  # bytes of a frame's head
GOAWAY = 7
ALL = 2**31 - 1


@dataclass
class Stream:
    """A request under way. number: its id."""

    number: str
    sent: float
    nth: int
    status: str = ""
    fields: dict[bytes, bytes] = field(default_factory=dict)
    body: bytearray = field(default_factory=bytearray)


class H2Asker(asyncio.Protocol):
    """Asks, checks, asks again; and makes way for another connection once the proxy wants that."""

    transport: asyncio.Transport

    def __init__(self, load: Load) -> None:
        self.load = load
        self.h2 = H2Connection(H2Configuration(header_encoding=None))
        self.buffer = bytearray()
        self.streams: dict[int, Stream] = {}
        self.nth = -1
        self.leaving = False  # the proxy takes no further request here

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask at once."""
        self.transport = transport  # type: ignore[assignment] # asyncio hands a Transport to a stream's protocol
        self.load.askers.add(self)
        self.h2.initiate_connection()
        for _ in range(STREAMS):
            self.ask()

    def ask(self) -> None:
        """The next request, or the end."""
        if self.transport.is_closing():
            return
        if self.load.ending or self.leaving:
            if not self.streams:
                self.transport.close()
            return
        number = self.load.number()
        stream = self.h2.get_next_available_stream_id()
        self.nth += 1
        body = self.load.body(number)
        head = [(b":method", self.load.order.method.encode()), (b":scheme", b"https"), (b":authority", self.load.order.host.encode())]
        head += [(b":path", f"/{number}".encode()), (b"x-request-id", number.encode())]
        if body:
            head.append((b"content-length", str(len(body)).encode()))
        self.streams[stream] = Stream(number, time.time(), self.nth)
        self.h2.send_headers(stream, head, end_stream=not body)
        if body:  # which every window has room for
            self.h2.send_data(stream, body, end_stream=True)
        self.flush()

    def flush(self) -> None:
        """Send what `h2` has to send."""
        if data := self.h2.data_to_send():
            self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        """Frames, the last maybe in part. GOAWAY is none of h2's affair: it takes even a notice for the end."""
        self.buffer += data
        while len(self.buffer) >= HEAD and len(self.buffer) >= (size := HEAD + int.from_bytes(self.buffer[:3], "big")):
            frame = bytes(self.buffer[:size])
            del self.buffer[:size]
            if frame[3] == GOAWAY:
                self.leave(int.from_bytes(frame[HEAD : HEAD + 4], "big") & ALL)
                continue
            try:
                for event in self.h2.receive_data(frame):
                    self.hear(event)
            except ProtocolError as error:
                self.fail(f"protocol error ({error})")
                return
        self.flush()

    def leave(self, last: int) -> None:
        """No further request goes this way; those behind the last one go another."""
        first, self.leaving = not self.leaving, True
        for stream in [number for number in self.streams if number > last]:
            self.load.again.append(self.streams.pop(stream).number)
        if first and not self.load.ending:
            self.load.replace()
        self.ask()

    def hear(self, event: events.Event) -> None:
        """What has come on a stream."""
        stream = self.streams.get(getattr(event, "stream_id", 0) or 0)
        if stream is None:
            return
        if isinstance(event, events.ResponseReceived):
            stream.fields = {bytes(name): bytes(value) for name, value in event.headers}
            stream.status = stream.fields[b":status"].decode()
        elif isinstance(event, events.DataReceived):
            stream.body += event.data
            self.h2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, events.StreamEnded):
            self.answered(self.streams.pop(event.stream_id))
        elif isinstance(event, events.StreamReset):
            self.broken(self.streams.pop(event.stream_id), int(event.error_code))

    def answered(self, stream: Stream) -> None:
        """A whole answer: count it, and ask again."""
        who, _, rest = bytes(stream.body).strip().partition(b" ")
        if stream.status == "200" and rest == self.load.expected(stream.number):
            self.load.succeeded(stream.number, stream.sent, who.decode())
        else:
            kind = "wrong body" if stream.status == "200" else f"status {stream.status}"
            self.load.fail(stream.number, stream.sent, kind, stream.nth, stream.fields.get(b"proxy-status", b"").decode())
        self.rest()

    def broken(self, stream: Stream, code: int) -> None:
        """Its stream was reset."""
        if code == ErrorCodes.REFUSED_STREAM:
            self.load.again.append(stream.number)
        else:
            self.load.fail(stream.number, stream.sent, f"reset ({code})", stream.nth)
        self.rest()

    def rest(self) -> None:
        """Before the next request of this kind."""
        if self.load.order.pause:
            asyncio.get_running_loop().call_later(self.load.order.pause, self.ask)
        else:
            self.ask()

    def overdue(self, now: float) -> None:
        """Give up what takes too long; end what is idle at the end."""
        for number in [number for number, stream in self.streams.items() if now - stream.sent > self.load.order.limit]:
            stream = self.streams.pop(number)
            self.load.fail(stream.number, stream.sent, "timeout", stream.nth)
            self.h2.reset_stream(number, ErrorCodes.CANCEL)
            self.flush()
            self.rest()
        if self.load.ending:
            self.ask()

    def fail(self, kind: str) -> None:
        """No answer will come to any of them."""
        for stream in self.streams.values():
            self.load.fail(stream.number, stream.sent, kind, stream.nth)
        self.streams.clear()
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """What was asked has no answer; another connection takes the place of this one."""
        self.load.askers.discard(self)
        self.fail(f"closed ({type(exc).__name__})" if exc else "closed")
        if not self.load.ending and not self.leaving:
            self.load.replace()
