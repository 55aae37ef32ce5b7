"""A rude origin server: records every byte that it is sent and answers as a script says, well-formed or not.

Runs an asyncio loop in a thread of its own, so that plain blocking tests can use it. Never used outside tests.
A script is an async function of one Call; the makers at the foot of this file cover the usual manners.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
import threading
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Self, TypeVar

T = TypeVar("T")

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


@dataclass
class Request:
    """One request as it arrived. head: the raw bytes up to and with the empty line; connection: counted from 1."""

    head: bytes
    connection: int
    body: bytes = b""
    trailers: list[tuple[str, str]] = field(default_factory=list)

    @property
    def line(self) -> str:
        return self.head.split(b"\r\n", 1)[0].decode("latin-1")

    def fields(self, name: str) -> list[str]:
        """Every value of that field, in order of arrival."""
        lines = self.head.decode("latin-1").split("\r\n")[1:]
        pairs = (line.split(":", 1) for line in lines if ":" in line)
        return [value.strip() for key, value in pairs if key.lower() == name.lower()]


@dataclass
class Call:
    """A request and the way to answer it."""

    request: Request
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    served: int
    keep: bool = True

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def body(self) -> bytes:
        """Read the request's body by its framing (RFC 9112, section 6.3) and keep it on the request."""
        self.request.body = await _read_body(self.reader, self.request)
        return self.request.body

    def reset(self) -> None:
        """Close with RST instead of FIN."""
        _linger(self.writer)
        self.keep = False


def _linger(writer: asyncio.StreamWriter) -> None:
    """The connection's close will be a reset."""
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


Script = Callable[[Call], Awaitable[None]]


class Recorder(asyncio.StreamReader):
    """A reader that also writes down every byte it is fed, whether a script reads it or not."""

    def __init__(self, wire: list[bytearray]) -> None:
        super().__init__(limit=1 << 20)
        self.wire = bytearray()
        wire.append(self.wire)

    def feed_data(self, data: bytes) -> None:
        self.wire += data
        super().feed_data(data)


async def _read_body(reader: asyncio.StreamReader, request: Request) -> bytes:
    if any("chunked" in v.lower() for v in request.fields("transfer-encoding")):
        return await _read_chunks(reader, request)
    return await reader.readexactly(int((request.fields("content-length") or ["0"])[0]))


async def _read_chunks(reader: asyncio.StreamReader, request: Request) -> bytes:
    body = bytearray()
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    while line := (await reader.readuntil(b"\r\n")).strip():
        name, _, value = line.decode("latin-1").partition(":")
        request.trailers.append((name, value.strip()))
    return bytes(body)


THREADS = 256


class Loop:
    """An asyncio loop in a daemon thread: many origins and chaos proxies share one."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        # scripts wait in threads for what a test does: where there are few, those of a test that has failed hold up all others
        self.loop.set_default_executor(ThreadPoolExecutor(THREADS, "fakes"))
        self.thread = threading.Thread(target=self.loop.run_forever, name="fakes", daemon=True)
        self.thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    def close(self) -> None:
        """End what still runs on it, then the loop and its thread."""
        self.run(self._cancel())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(10)
        self.loop.close()

    async def _cancel(self) -> None:
        while tasks := asyncio.all_tasks() - {asyncio.current_task()}:  # meanwhile a server may have taken one more connection
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        await self.loop.shutdown_default_executor()


@dataclass
class Origin:
    """A listening origin. script may be replaced between requests.

    tls: it speaks within TLS, by this context.
    requests and connections are what was seen; wire is every byte of it, one bytearray a connection, in their order.
    """

    loop: Loop
    script: Script
    port: int = 0
    requests: list[Request] = field(default_factory=list)
    connections: int = 0
    wire: list[bytearray] = field(default_factory=list)
    tls: ssl.SSLContext | None = None
    _server: asyncio.Server | None = None
    _writers: set[asyncio.StreamWriter] = field(default_factory=set)

    def start(self) -> Self:
        self.loop.run(self._listen())
        return self

    async def _listen(self) -> None:
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: asyncio.StreamReaderProtocol(Recorder(self.wire), self._serve), "127.0.0.1", self.port, ssl=self.tls
        )
        self.port = self._server.sockets[0].getsockname()[1]

    def stop(self) -> None:
        """Stop listening and cut every connection."""
        self.loop.run(self._close())

    @property
    def open(self) -> int:
        """Connections that neither side has closed."""
        return len(self._writers)

    def cut(self, reset: bool = False) -> None:
        """Close every open connection, with RST instead of FIN where reset, but listen on."""
        if reset:
            for writer in tuple(self._writers):
                _linger(writer)
        self.loop.run(self._cut())

    def shout(self, data: bytes) -> None:
        """Send bytes that nobody asked for on every open connection."""
        self.loop.run(self._shout(data))

    async def _shout(self, data: bytes) -> None:
        for writer in tuple(self._writers):
            writer.write(data)
            await writer.drain()

    async def _close(self) -> None:
        if self._server:
            self._server.close()
        await self._cut()

    async def _cut(self) -> None:
        for writer in tuple(self._writers):
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        number, served = self.connections, 0
        self._writers.add(writer)
        try:
            while await self._exchange(reader, writer, number, served):
                served += 1
        except (asyncio.IncompleteReadError, asyncio.CancelledError, OSError):
            pass
        finally:
            self._writers.discard(writer)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, number: int, served: int) -> bool:
        request = Request(await reader.readuntil(b"\r\n\r\n"), number)
        self.requests.append(request)
        call = Call(request, reader, writer, served)
        await self.script(call)
        return call.keep


def respond(data: bytes = OK) -> Script:
    """Read the whole request, send these bytes, keep the connection."""

    async def script(call: Call) -> None:
        await call.body()
        await call.send(data)

    return script


def respond_and_close(data: bytes = b"") -> Script:
    """Read the whole request, send these bytes, close: without bytes, close before answering."""

    async def script(call: Call) -> None:
        await call.body()
        await call.send(data)
        call.keep = False

    return script


def chunked(*chunks: bytes, trailer: bytes = b"") -> Script:
    """Answer in these chunks (RFC 9112, section 7.1)."""
    frames = b"".join(b"%x\r\n%b\r\n" % (len(c), c) for c in chunks)
    return respond(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + frames + b"0\r\n" + trailer + b"\r\n")


def pieces(*parts: bytes, gap: float = 0.01) -> Script:
    """Send the answer in these pieces, `gap` seconds apart."""

    async def script(call: Call) -> None:
        await call.body()
        for part in parts:
            await call.send(part)
            await asyncio.sleep(gap)

    return script


def close_after(count: int, data: bytes = OK) -> Script:
    """Answer and close silently (no ``Connection: close``) after `count` exchanges of a connection."""

    async def script(call: Call) -> None:
        await respond(data)(call)
        call.keep = call.served + 1 < count

    return script


def never() -> Script:
    """Take the request and never answer."""

    async def script(call: Call) -> None:
        await call.body()
        await call.reader.read()
        call.keep = False

    return script


def held(gate: threading.Event, data: bytes = OK) -> Script:
    """Answer when the test opens the gate."""

    async def script(call: Call) -> None:
        await call.body()
        await asyncio.to_thread(gate.wait, 10)
        await call.send(data)

    return script


def inform(*interim: bytes, final: bytes = OK) -> Script:
    """Send informational responses, then the final one (RFC 9110, section 15.2)."""
    return respond(b"".join(interim) + final)


def reset() -> Script:
    """Take the head and answer with RST."""

    async def script(call: Call) -> None:
        call.reset()

    return script


def refused_port() -> socket.socket:
    """A bound socket that does not listen: connecting to it is refused."""
    holder = socket.socket()
    holder.bind(("127.0.0.1", 0))
    return holder
