"""An origin that speaks HTTP/2 without TLS (h2c by prior knowledge), on the `h2` library: records requests and answers as a script says.

A script is an async function of one Call, of which a connection has as many at once as it has streams. `settings` are what it announces.
Frames that `h2` would not send are written by hand with `raw`. Never used outside tests.
"""

from __future__ import annotations

import asyncio
import ssl
import threading
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self

import h2.config
import h2.connection
import h2.errors
import h2.events
import h2.exceptions
import h2.settings

from tests.fakes.origin import Loop, _linger

Fields = list[tuple[str, str]]
LIMIT = h2.settings.SettingCodes.MAX_CONCURRENT_STREAMS
WINDOW = h2.settings.SettingCodes.INITIAL_WINDOW_SIZE


@dataclass
class Request:
    """One request. connection: counted from 1; reset: the code that the client ended it with."""

    fields: Fields
    connection: int
    stream: int
    body: bytes = b""
    trailers: Fields = field(default_factory=list)
    reset: int | None = None

    def all(self, name: str) -> list[str]:
        return [v for k, v in self.fields if k == name]


@dataclass
class Call:
    """A request and the way to answer it."""

    request: Request
    line: Line
    whole: asyncio.Event = field(default_factory=asyncio.Event)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    async def body(self) -> bytes:
        """Wait for the whole request."""
        await self.whole.wait()
        return self.request.body

    async def more(self, size: int) -> None:
        """Wait until so much of the body is there."""
        while len(self.request.body) < size:
            self.news.clear()
            await self.news.wait()

    def head(self, status: int = 200, *fields: tuple[str, str], end: bool = False) -> None:
        self.line.http2.send_headers(self.request.stream, [(":status", str(status)), *fields], end_stream=end)
        self.line.send()

    async def data(self, data: bytes, end: bool = False) -> None:
        """Send as the windows allow; nothing where the stream is gone."""
        http2, stream = self.line.http2, self.request.stream
        with suppress(h2.exceptions.StreamClosedError):
            while data:
                if (room := min(http2.local_flow_control_window(stream), http2.max_outbound_frame_size)) <= 0:
                    self.line.room.clear()
                    await self.line.room.wait()
                    continue
                http2.send_data(stream, data[:room])
                data = data[room:]
                self.line.send()
                await self.line.drain()
            if end:
                http2.end_stream(stream)
                self.line.send()

    def trailers(self, *fields: tuple[str, str]) -> None:
        self.line.http2.send_headers(self.request.stream, list(fields), end_stream=True)
        self.line.send()

    def reset(self, code: int = 0) -> None:
        with suppress(h2.exceptions.StreamClosedError):
            self.line.http2.reset_stream(self.request.stream, code)
            self.line.send()

    async def answer(self, status: int = 200, *fields: tuple[str, str], body: bytes = b"ok", length: bool = True) -> None:
        """A whole response: to HEAD, its head (RFC 9110, section 9.3.2)."""
        head_only = self.request.all(":method") == ["HEAD"]
        self.head(status, *((("content-length", str(len(body))),) if length else ()), *fields, end=head_only or not body)
        if body and not head_only:
            await self.data(body, end=True)


Script = Callable[[Call], Awaitable[None]]


def _texts(event: Any) -> Fields:
    return [(str(k), str(v)) for k, v in event.headers]


class Line(asyncio.Protocol):
    """One connection."""

    def __init__(self, origin: H2Origin) -> None:
        self.origin = origin
        self.http2 = h2.connection.H2Connection(
            h2.config.H2Configuration(
                client_side=False, header_encoding="latin-1", validate_outbound_headers=False, normalize_outbound_headers=False
            )
        )
        self.calls: dict[int, Call] = {}
        self.room = asyncio.Event()
        self.writable = asyncio.Event()
        self.writable.set()
        self.number = 0
        self.pings = 0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self.origin.lines.append(self)
        self.origin.connections += 1
        self.number = self.origin.connections
        if self.origin.mute:
            return
        own = self.http2.local_settings
        self.http2.local_settings = h2.settings.Settings(client=False, initial_values=dict(own) | self.origin.settings)
        self.http2.decoder.max_header_list_size = self.http2.local_settings.max_header_list_size or 65536
        self.http2.initiate_connection()
        self.send()

    def connection_lost(self, exc: Exception | None) -> None:
        self.origin.lines.remove(self)
        for call in self.calls.values():
            call.whole.set()
        self.room.set()
        self.writable.set()

    def pause_writing(self) -> None:
        self.writable.clear()

    def resume_writing(self) -> None:
        self.writable.set()

    async def drain(self) -> None:
        await self.writable.wait()

    def send(self) -> None:
        self.transport.write(self.http2.data_to_send())

    def raw(self, kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> None:
        """A frame as it is (RFC 9113, section 4.1)."""
        self.transport.write(len(payload).to_bytes(3, "big") + bytes([kind, flags]) + stream.to_bytes(4, "big") + payload)

    def data_received(self, data: bytes) -> None:
        if self.origin.mute:
            return
        try:
            events = self.http2.receive_data(data)
        except h2.exceptions.ProtocolError as error:
            self.origin.errors.append(error)
            self.send()
            self.transport.close()
            return
        for event in events:
            self.hear(event)
        self.send()

    def hear(self, event: Any) -> None:
        if isinstance(event, h2.events.RequestReceived):
            call = self.calls[event.stream_id] = Call(Request(_texts(event), self.number, event.stream_id), self)
            self.origin.requests.append(call.request)
            self.origin.task(call)
        elif isinstance(event, h2.events.DataReceived):
            call = self.calls[event.stream_id]
            call.request.body += event.data
            call.news.set()
            if self.origin.taking and event.flow_controlled_length:
                self.http2.acknowledge_received_data(event.flow_controlled_length, event.stream_id)
        elif isinstance(event, h2.events.TrailersReceived):
            self.calls[event.stream_id].request.trailers = _texts(event)
        elif isinstance(event, h2.events.StreamEnded):
            self.calls[event.stream_id].whole.set()
        elif isinstance(event, h2.events.StreamReset):
            if call := self.calls.get(event.stream_id):
                call.request.reset = int(event.error_code)
                call.whole.set()
                call.news.set()
            self.room.set()
        elif isinstance(event, h2.events.WindowUpdated | h2.events.RemoteSettingsChanged):
            self.room.set()
        elif isinstance(event, h2.events.PingReceived):
            self.pings += 1


@dataclass
class H2Origin:
    """A listening origin. script may be replaced between requests; mute: it accepts, reads, and says nothing at all; taking: bodies."""

    loop: Loop
    script: Script
    settings: dict[Any, int] = field(default_factory=dict)
    port: int = 0
    tls: ssl.SSLContext | None = None
    mute: bool = False
    taking: bool = True
    requests: list[Request] = field(default_factory=list)
    errors: list[Exception] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    connections: int = 0
    most: int = 0
    busy: int = 0
    _server: asyncio.Server | None = None
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def start(self) -> Self:
        self.loop.run(self._listen())
        return self

    async def _listen(self) -> None:
        self._server = await asyncio.get_running_loop().create_server(lambda: Line(self), "127.0.0.1", self.port, ssl=self.tls)
        self.port = self._server.sockets[0].getsockname()[1]

    def task(self, call: Call) -> None:
        task = asyncio.get_running_loop().create_task(self._run(self.script(call)))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _run(self, answering: Awaitable[None]) -> None:
        self.busy += 1
        self.most = max(self.most, self.busy)
        try:
            await answering
        except (h2.exceptions.ProtocolError, KeyError, OSError):
            pass  # the stream or its connection has gone meanwhile
        finally:
            self.busy -= 1

    def each(self, what: Callable[[Line], object]) -> None:
        """Do this to every open connection, on the loop."""
        self.loop.run(self._each(what))

    async def _each(self, what: Callable[[Line], object]) -> None:
        for line in tuple(self.lines):
            what(line)

    def goaway(self, last: int | None = None, code: int = 0) -> None:
        """Say GOAWAY on every connection; last: the last stream that is counted in (None: all so far)."""
        self.each(lambda line: line.raw(7, 0, 0, bytes.fromhex(f"{max(line.calls, default=0) if last is None else last:08x}{code:08x}")))

    def cut(self, reset: bool = False) -> None:
        """Close every connection, with RST instead of FIN where reset."""

        def close(line: Line) -> None:
            if reset:
                _linger(line.transport)
            line.transport.close()

        self.each(close)

    def stop(self) -> None:
        self.loop.run(self._close())

    async def _close(self) -> None:
        if self._server:
            self._server.close()
        for task in tuple(self._tasks):
            task.cancel()
        for line in tuple(self.lines):
            line.transport.close()


def respond(status: int = 200, *fields: tuple[str, str], body: bytes = b"ok", length: bool = True) -> Script:
    """Read the whole request, and answer."""

    async def script(call: Call) -> None:
        await call.body()
        await call.answer(status, *fields, body=body, length=length)

    return script


def held(gate: threading.Event, body: bytes = b"ok") -> Script:
    """Answer when the test opens the gate."""

    async def script(call: Call) -> None:
        while not gate.is_set():  # noqa: ASYNC110 - a test's thread opens it
            await asyncio.sleep(0.005)
        await call.answer(body=body)

    return script
