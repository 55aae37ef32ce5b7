"""`haystack demo`: five small HTTP servers in this process, as if they were containers. No Docker, no privileges.

Four are the service `nginx`, the fifth, web-001, is `web.nginx`; each says its name. They run in a thread and loop of
their own, so that they compete with nothing. Never does: anything that a real source would not deliver too.
"""

from __future__ import annotations

import asyncio
import hashlib
import threading
import time

from haystack.discovery import labels as label_reader
from haystack.discovery.provider import Sink
from haystack.model import naming, ports
from haystack.model.records import Container, Engine, Listing

HOST = "127.0.0.1"
NAMES = ("a", "b", "c", "d", "web-001")
IMAGE = "nginx"
LONGEST_HEAD = 16384


class DemoProvider:
    """Publishes the five servers once they listen."""

    source = "demo"

    async def run(self, sink: Sink) -> None:
        """Publish into sink until cancelled; the servers end with it."""
        servers = DemoServers()
        found = await asyncio.to_thread(servers.start)
        try:
            engine = Engine(id=self.source, name=self.source, host=self.source, address=HOST)
            sink.replace(self.source, Listing(engine=engine, containers=tuple(_container(n, p) for n, p in found.items())))
            await asyncio.Future()
        finally:
            await asyncio.to_thread(servers.close)


def _container(name: str, port: int) -> Container:
    labels = {"haystack.port": str(port)}
    options, problems = label_reader.read(labels)
    services, more = naming.services(name, IMAGE, options, labels)
    return Container(
        id=hashlib.sha256(f"demo {name}".encode()).hexdigest(),
        name=name,
        engine=DemoProvider.source,
        image=IMAGE,
        image_name=IMAGE,
        state_reason="demo",
        since=time.time(),
        address=HOST,
        address_reason="demo: in this process",
        ports=(ports.named(port, "tcp"),),
        services=services,
        originals=naming.originals(name, IMAGE, options, labels),
        options=options,
        problems=problems + more,
    )


class DemoServers:
    """The servers and their thread."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._stop = asyncio.Event()
        self._ports: dict[str, int] = {}
        self._error: BaseException | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._thread = threading.Thread(target=self._main, name="haystack-demo", daemon=True)

    def start(self) -> dict[str, int]:
        """Start them all; their ports by name. Raises OSError when one can't be bound."""
        self._thread.start()
        self._ready.wait()
        if self._error is not None:
            raise self._error
        return dict(self._ports)

    def close(self) -> None:
        """End them and their thread."""
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._stop.set)
            self._thread.join()

    def _main(self) -> None:
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._loop.close()

    async def _serve(self) -> None:
        servers: list[asyncio.Server] = []
        try:
            for name in NAMES:
                server = await asyncio.start_server(self._handler(name), HOST, 0, limit=LONGEST_HEAD)
                servers.append(server)
                self._ports[name] = server.sockets[0].getsockname()[1]
        except OSError as error:
            self._error = error
            self._stop.set()
        self._ready.set()
        await self._stop.wait()
        for server in servers:
            server.close()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _handler(self, name: str) -> _Handler:
        return _Handler(name, self._tasks)


class _Handler:
    """Answers each request of a connection with the server's name."""

    def __init__(self, name: str, tasks: set[asyncio.Task[None]]) -> None:
        self._name = name
        self._tasks = tasks

    def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.get_running_loop().create_task(self._converse(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await self._exchange(reader, writer):
                pass
        except (OSError, EOFError, asyncio.LimitOverrunError, ValueError):
            pass  # a client that goes away or talks nonsense ends its own connection only
        finally:
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """One request and its answer; True when another may follow."""
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        fields = dict(line.partition(b":")[::2] for line in head.split(b"\r\n")[1:])
        if b"transfer-encoding" in fields:
            await self._answer(writer, head, last=True)
            return False
        left = int(fields.get(b"content-length", b"0"))
        while left > 0:
            left -= len(await reader.readexactly(min(left, 65536)))
        last = b"close" in fields.get(b"connection", b"") or b"http/1.0" in head.partition(b"\r\n")[0]
        await self._answer(writer, head, last)
        return not last

    async def _answer(self, writer: asyncio.StreamWriter, head: bytes, last: bool) -> None:
        body = f"{self._name}\n".encode()
        lines = [
            b"HTTP/1.1 200 OK",
            b"Content-Type: text/plain; charset=utf-8",
            f"Content-Length: {len(body)}".encode(),
            b"Connection: " + (b"close" if last else b"keep-alive"),
        ]
        writer.write(b"\r\n".join(lines) + b"\r\n\r\n" + (b"" if head.startswith(b"head ") else body))
        await writer.drain()
