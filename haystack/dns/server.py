"""Port 53: datagrams and connections in, the responder's answers out, and what is not ours to the forwarder.

Never does: decide an answer; wait for a nameserver before it answers for the zone. Runs on the control process's loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any, Protocol

import structlog

from haystack._fast.net.networks import Networks
from haystack.dns import sockets, wire
from haystack.dns.forward import nameservers, routes
from haystack.dns.forward.forwarder import SOCKETS, Forwarder, Limits
from haystack.dns.forward.resolved import Resolved
from haystack.dns.forward.routes import Upstreams
from haystack.dns.local_names import LocalNames
from haystack.dns.responder import EVERYTHING, Forward, Responder
from haystack.net.access import Table
from haystack.net.sockets import Sockets

log = structlog.get_logger()

# So many datagrams are answered before the loop may turn to something else.
BURST = 64
# RFC 7766 section 6.2.3: a few seconds are enough.
IDLE = 10.0
# While another Haystack takes over: for a query that is on its way.
LAST_IDLE = 1.0
CONNECTIONS = 128
PIPELINED = 64


class DnsSettings(Upstreams, Protocol):
    """What the server reads of the settings."""

    @property
    def dns_port(self) -> int:
        """0: any free one."""


class DnsServer:
    """The DNS listener, UDP and TCP. forwarder: made from the settings at start unless given; connections: at once, over TCP.

    questions: sockets to nameservers at once.
    """

    def __init__(
        self,
        settings: DnsSettings,
        responder: Responder,
        forwarder: Forwarder | None = None,
        *,
        idle: float = IDLE,
        connections: int = CONNECTIONS,
        questions: int = SOCKETS,
    ) -> None:
        self._settings = settings
        self._responder = responder
        self._forwarder = forwarder
        self._idle = idle
        self._most = connections
        self._questions = questions
        self._networks: Networks | None = None
        self._bound: sockets.Bound | None = None
        self._servers: list[asyncio.Server] = []
        self._connections: dict[asyncio.Task[None], Connection] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def admit(self, table: Table) -> None:
        """What askers may, by their addresses. Until this has been told everybody may ask for everything."""
        self._networks = Networks(*table)

    def _rights(self, address: str) -> int:
        return EVERYTHING if self._networks is None else self._networks.find(address) or 0

    @property
    def port(self) -> int:
        """The port bound, for UDP and TCP alike. 0 before bind."""
        return self._bound.port if self._bound else 0

    def bind(self, opened: Sockets | None = None) -> None:
        """Take the ports, or those that are handed over. Raises OSError whose text names protocol, address and port."""
        self._bound = sockets.bind(map(str, self._settings.bind), self._settings.dns_port, opened)

    async def start(self) -> None:
        """Answer from now on. Binds first where that has not been done."""
        if self._bound is None:
            self.bind()
        bound = self._bound
        assert bound is not None  # noqa: S101 - bind has just set it
        if self._forwarder is None:
            names = LocalNames(self._responder, self._rights)
            self._forwarder = Forwarder(routes.made(self._settings, bound.port), names, limits=Limits(sockets=self._questions))
        self._responder.opened = self._forwarder.routes.opened
        loop = asyncio.get_running_loop()
        for udp in bound.udp:
            loop.add_reader(udp, self._readable, udp, self._forwarder)
        for tcp in bound.tcp:
            self._servers.append(await asyncio.start_server(self._connected, sock=tcp))
        log.info("dns.listening", port=bound.port, nameservers=[*map(nameservers.text, self._forwarder.routes.default)])

    async def drain(self, seconds: float) -> None:
        """Take no more, for another one has the sockets too; finish within so many seconds what was asked here."""
        self._leave()
        self._idle = min(self._idle, LAST_IDLE)
        work = [*self._tasks, *self._connections]
        if work:
            await asyncio.wait(work, timeout=seconds)

    def _leave(self) -> None:
        loop = asyncio.get_running_loop()
        for udp in self._bound.udp if self._bound else ():
            loop.remove_reader(udp)
        for server in self._servers:
            server.close()

    async def close(self) -> None:
        """Stop at once: a client asks again elsewhere."""
        self._leave()
        bound, self._bound = self._bound, None
        tasks = [*self._tasks, *self._connections]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._forwarder is not None:
            await self._forwarder.close()
        for server in self._servers:
            await server.wait_closed()
        if bound:
            bound.close()

    def _readable(self, udp: socket.socket, forwarder: Forwarder) -> None:
        for _ in range(BURST):
            try:
                datagram = sockets.receive(udp)
            except (BlockingIOError, InterruptedError):
                return
            except OSError as error:
                log.debug("dns.receive_failed", error=str(error))
                continue
            reply = self._responder.answer(datagram.data, datagram.local, tcp=False, rights=self._rights(str(datagram.peer[0])))
            if isinstance(reply, Forward):
                forward, found = reply, forwarder.cached(reply.query)
                reply = _rendered(forward, found) if found else None
                if reply is None:
                    self._later(_relay(udp, datagram, forwarder, forward))
            if reply is not None:
                _send(udp, reply, datagram)

    def _later(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or self._forwarder is None:
            writer.close()
            return
        peer = str(writer.get_extra_info("peername")[0])
        connection = Connection(reader, writer, self._responder, self._forwarder, lambda: self._idle, self._rights(peer), peer)
        if len(self._connections) >= self._most:
            self._make_room()
        self._connections[task] = connection
        try:
            await connection.serve()
        except asyncio.CancelledError:
            pass  # close() and _make_room() alone cancel: asyncio's streams would log it as a fault.
        finally:
            self._connections.pop(task, None)
            writer.close()

    def _make_room(self) -> None:
        """Close the one without a query for longest, of the client that has most: nobody keeps others out (RFC 7766, section 6.2.3)."""
        counts = Counter(each.peer for each in self._connections.values())
        most = max(counts.values())
        of_it = (task for task, each in self._connections.items() if counts[each.peer] == most)
        task = min(of_it, key=lambda each: self._connections[each].heard)
        del self._connections[task]
        task.cancel()


class Connection:
    """One client over TCP. Its queries may come before earlier ones are answered, and answers out of order (RFC 7766 section 6.2.1)."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        responder: Responder,
        forwarder: Forwarder,
        idle: Callable[[], float],
        rights: int,
        peer: str,
    ) -> None:
        self.peer = peer
        self.heard = time.monotonic()  # when it came, or its last query
        self._rights = rights
        self._reader = reader
        self._writer = writer
        self._responder = responder
        self._forwarder = forwarder
        self._idle = idle
        self._free = asyncio.Semaphore(PIPELINED)
        # The kernel names IPv6 peers' scope after the address; the responder takes it off.
        self._local = str(writer.get_extra_info("sockname")[0])

    async def serve(self) -> None:
        """Until the client closes, falls silent, or breaks the framing; answers still due are sent first."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            async with asyncio.TaskGroup() as group:
                with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                    while True:
                        await self._one(group)

    async def _one(self, group: asyncio.TaskGroup) -> None:
        async with asyncio.timeout(self._idle()):
            (length,) = struct.unpack("!H", await self._reader.readexactly(2))
            query = await self._reader.readexactly(length)
        self.heard = time.monotonic()
        reply = self._responder.answer(query, self._local, tcp=True, rights=self._rights)
        if isinstance(reply, Forward):
            await self._free.acquire()
            group.create_task(self._forward(reply))
        elif reply is not None:
            await self._send(reply)
            await asyncio.sleep(0)  # more of its queries may be here already, a thousand: others come first

    async def _forward(self, forward: Forward) -> None:
        try:
            reply = _rendered(forward, await self._forwarder.resolve(forward.query, self.peer))
            with contextlib.suppress(OSError):
                await self._send(reply)
        finally:
            self._free.release()

    async def _send(self, reply: bytes) -> None:
        """Raises OSError: TimeoutError for a client that does not read what it asked for."""
        self._writer.write(struct.pack("!H", len(reply)) + reply)
        async with asyncio.timeout(self._idle()):
            await self._writer.drain()


async def _relay(udp: socket.socket, datagram: sockets.Datagram, forwarder: Forwarder, forward: Forward) -> None:
    _send(udp, _rendered(forward, await forwarder.resolve(forward.query, str(datagram.peer[0]))), datagram)


def _rendered(forward: Forward, found: Resolved) -> bytes:
    return wire.render(found.packed, forward.query, forward.tcp, options=found.options)


def _send(udp: socket.socket, reply: bytes, to: sockets.Datagram) -> None:
    """A datagram that can't be sent now is lost, as any may be: the client asks again."""
    try:
        sockets.send(udp, reply, to)
    except OSError as error:
        log.debug("dns.send_failed", peer=str(to.peer[0]), error=str(error))
