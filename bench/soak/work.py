"""What clients do in the soak: one function a kind, one table of them. Each raises when it gets anything but what it ordered."""

from __future__ import annotations

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bench.soak import wire
from bench.soak.bodies import Check, Order, pieces

SMALL, LARGE = 4096, 4 << 20
STEADY, RUDE = "soak.services.haystack", "rude.services.haystack"
CROWDED, LOYAL, LONE = "crowded.services.haystack", "loyal.services.haystack", "lone.services.haystack"


class UnexpectedError(Exception):
    """An answer that nobody ordered."""


@dataclass
class Client:
    """Somebody who works through one port. moved: bytes of bodies that were checked at this end or sent for a check at the other."""

    port: int
    random: random.Random
    moved: int = 0

    def order(self, up: int = 0, down: int = 0, manner: str = "") -> Order:
        """An order with a seed of its own."""
        return Order(self.random.randrange(1, 400_000_000), up, down, manner)

    def size(self, most: int) -> int:
        """Bytes: every magnitude up to `most` about as often."""
        return int(most ** self.random.random())

    @asynccontextmanager
    async def connection(self, receive: int = 0) -> AsyncIterator[Connection]:
        """A new connection; receive: the size of its receive buffer, where the kernel shall not choose."""
        sock = socket.socket()
        if receive:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        sock.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self.port))
            reader, writer = await asyncio.open_connection(sock=sock, limit=receive or wire.ROOM)
        except OSError:
            sock.close()
            raise
        try:
            yield Connection(self, reader, writer)
        finally:
            writer.close()


@dataclass
class Connection:
    """One connection of a client."""

    client: Client
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def ask(self, order: Order, method: str = "GET", host: str = STEADY, *lines: str) -> None:
        """Send a head."""
        self.writer.write("\r\n".join((f"{method} {order.target} HTTP/1.1", f"Host: {host}", *lines, "", "")).encode())

    async def send(self, parts: Iterable[bytes], pause: float = 0) -> None:
        """Send a body, with pauses between its parts."""
        for part in parts:
            self.writer.write(part)
            await self.writer.drain()
            if pause:
                await asyncio.sleep(pause)

    async def expect(self, status: bytes = b"200") -> wire.Fields:
        """The next head, interim ones left out unless wanted. Raises UnexpectedError."""
        while True:
            line, fields = await wire.head(self.reader)
            got = line.split(b" ")[1]
            if got == status:
                return fields
            if not got.startswith(b"1"):
                said = await self.reader.read(200)
                raise UnexpectedError(f"{line!r} instead of {status!r}: {fields.get(b'proxy-status', b'')!r} {said!r}")

    async def take(self, order: Order) -> wire.Fields:
        """The whole answer to an order, checked. Raises UnexpectedError, WrongBodyError."""
        fields = await self.expect()
        check = Check(order.answer_seed)
        await wire.body(self.reader, fields, check)
        check.end(order.down)
        self.client.moved += order.up + order.down
        return fields


async def small(client: Client) -> None:
    """A few GETs one after the other on one connection; some origins end theirs without a word."""
    async with client.connection() as connection:
        for _ in range(client.random.randrange(1, 30)):
            manner = client.random.choice(["", "", "", "c", "i", "x", "q"])
            order = client.order(down=client.size(SMALL), manner=manner)
            connection.ask(order, "GET", RUDE if manner == "q" else STEADY)
            await connection.take(order)


async def pipelined(client: Client) -> None:
    """Many requests at once: answers in order (RFC 9112, section 9.3.2)."""
    async with client.connection() as connection:
        orders = [client.order(down=client.size(SMALL), manner=client.random.choice(["", "c"])) for _ in range(16)]
        for order in orders:
            connection.ask(order)
        for order in orders:
            await connection.take(order)


async def lone(client: Client) -> None:
    """A connection a request, and its end after the answer."""
    async with client.connection() as connection:
        order = client.order(down=client.size(SMALL))
        connection.ask(order, "GET", STEADY, "Connection: close")
        await connection.take(order)
        if await connection.reader.read(1):
            raise UnexpectedError("bytes after the last answer of a connection")


async def head(client: Client) -> None:
    """HEAD: a length and no body, and the next answer right behind (RFC 9110, section 9.3.2)."""
    async with client.connection() as connection:
        for manner in ("", "c"):
            first, second = client.order(down=client.size(SMALL), manner=manner), client.order(down=client.size(SMALL))
            connection.ask(first, "HEAD")
            await connection.expect()
            connection.ask(second)
            await connection.take(second)


async def download(client: Client) -> None:
    """Large bodies down, by length or in chunks, with a trailer or without."""
    async with client.connection() as connection:
        order = client.order(down=client.size(LARGE), manner=client.random.choice(["", "c", "ct"]))
        connection.ask(order)
        await connection.take(order)


async def upload(client: Client) -> None:
    """Large bodies up, by length or in chunks, some of them in odd little parts with pauses."""
    async with client.connection() as connection:
        for _ in range(2):
            order = client.order(up=client.size(LARGE), down=client.size(SMALL))
            slow = order.up < SMALL and client.random.random() < 0.5
            parts = pieces(order.seed, order.up, client.random.randrange(200, 999) if slow else 50_000)
            chunked = client.random.random() < 0.5
            connection.ask(order, "PUT", STEADY, "Transfer-Encoding: chunked" if chunked else f"Content-Length: {order.up}")
            await connection.send(wire.chunks(parts) if chunked else parts, 0.005 if slow else 0)
            await connection.take(order)


async def expectant(client: Client) -> None:
    """Nothing of the body before 100 (RFC 9110, section 10.1.1)."""
    async with client.connection() as connection:
        order = client.order(up=client.size(SMALL), down=client.size(SMALL))
        connection.ask(order, "POST", STEADY, "Expect: 100-continue", f"Content-Length: {order.up}")
        await connection.expect(b"100")
        await connection.send(pieces(order.seed, order.up))
        await connection.take(order)


async def slow_reader(client: Client) -> None:
    """A client that takes its time: what it has not read waits in bounded memory."""
    async with client.connection(receive=8192) as connection:
        order = client.order(down=1 << 20)
        connection.ask(order)
        fields = await connection.expect()
        check, left = Check(order.answer_seed), int(fields[b"content-length"])
        while left:
            size = min(left, 40_000)
            await wire.counted(connection.reader, size, check)
            left -= size
            await asyncio.sleep(0.02)
        check.end(order.down)
        client.moved += order.down


async def aborted_download(client: Client) -> None:
    """Gone in the middle of an answer, with FIN or RST."""
    async with client.connection() as connection:
        order = client.order(down=LARGE, manner=client.random.choice(["", "c"]))
        connection.ask(order)
        fields = await connection.expect()
        if b"content-length" in fields:
            await wire.counted(connection.reader, client.size(LARGE // 2), Check(order.answer_seed))
        if client.random.random() < 0.5:
            connection.writer.transport.abort()


async def aborted_upload(client: Client) -> None:
    """Gone in the middle of a request body, or of its head."""
    async with client.connection() as connection:
        order = client.order(up=LARGE)
        if client.random.random() < 0.3:
            connection.writer.write(f"PUT {order.target} HTTP/1.1\r\nHost: soak.ser".encode())
        else:
            connection.ask(order, "PUT", STEADY, f"Content-Length: {order.up}")
            await connection.send(pieces(order.seed, client.size(LARGE // 2)))
        if client.random.random() < 0.5:
            connection.writer.transport.abort()


async def crowded(client: Client) -> None:
    """Requests that wait for room at endpoints that take few at once (haystack.max_connections)."""
    async with client.connection() as connection:
        for _ in range(4):
            order = client.order(up=client.size(SMALL), down=client.size(SMALL))
            connection.ask(order, "POST", CROWDED, f"Content-Length: {order.up}")
            await connection.send(pieces(order.seed, order.up))
            await connection.take(order)


async def loyal(client: Client) -> None:
    """A cookie that leads back to the endpoint that gave it: it is not given again (haystack.sticky)."""
    async with client.connection() as connection:
        first, second = client.order(down=client.size(SMALL)), client.order(down=client.size(SMALL))
        connection.ask(first, "GET", LOYAL)
        cookie = (await connection.take(first))[b"set-cookie"].decode().partition(";")[0]
        connection.ask(second, "GET", LOYAL, f"Cookie: a=b; {cookie}")
        if b"set-cookie" in await connection.take(second):
            raise UnexpectedError("a client was led away from its endpoint")


async def waiting(client: Client) -> None:
    """A service whose only endpoint goes, to be followed by another in a while: its requests wait (HAYSTACK_WAIT)."""
    async with client.connection() as connection:
        for _ in range(3):
            order = client.order(up=client.size(SMALL), down=client.size(SMALL))
            connection.ask(order, "PUT", LONE, f"Content-Length: {order.up}")
            await connection.send(pieces(order.seed, order.up))
            await connection.take(order)


Work = Callable[[Client], Awaitable[None]]
# how often, of all
KINDS: dict[Work, int] = {
    small: 30,
    pipelined: 15,
    lone: 15,
    head: 5,
    download: 10,
    upload: 10,
    expectant: 5,
    slow_reader: 2,
    aborted_download: 4,
    aborted_upload: 4,
    crowded: 8,
    loyal: 5,
    waiting: 4,
}
