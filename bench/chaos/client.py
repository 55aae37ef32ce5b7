"""The load of the chaos rounds: `python -m bench.chaos.client ORDER FILE` asks without pause until its standard input ends.

A process of its own, so that nothing which the rounds do beside it shows in its times. Every body is checked: it must name
the request. What failed and what was slowest is kept whole, the rest is counted; the report is JSON, in FILE.
"""

from __future__ import annotations

import asyncio
import heapq
import json
import ssl
import sys
import time
import zlib
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import uvloop

from bench.chaos.h2_client import STREAMS, H2Asker
from bench.chaos.sealing import trusting

SLOWEST = 10
KEPT = 200_000  # failures that are kept whole
PAUSE = 0.02  # after a refused connection
PROTOCOLS = ("http", "https", "h2", "passthrough")  # how clients ask


@dataclass(frozen=True)
class Order:
    """What to ask, on how many connections.

    size: bytes of a POST's body. name: the beginning of every request's id. pause: seconds between an answer and the next
    request of that connection. limit: seconds after which a request has failed. protocol: of PROTOCOLS; with h2, connections are so many
    streams; with passthrough each has one request. ca: who has signed the certificates, where there is TLS.
    """

    port: int
    host: str
    method: str = "GET"
    connections: int = 64
    size: int = 4096
    name: str = "r"
    address: str = "127.0.0.1"
    pause: float = 0.0
    limit: float = 15.0
    protocol: str = "http"
    ca: str = ""


@dataclass
class Failure:
    """A request without the answer it should have. at: Unix seconds it was sent; nth: on its connection, from 0."""

    id: str
    at: float
    ms: float
    kind: str
    nth: int
    proxy_status: str = ""


@dataclass
class Load:
    """All connections of one order, and what they met."""

    order: Order
    sent: int = 0
    done: int = 0
    failed: int = 0
    failures: list[Failure] = field(default_factory=list)
    kinds: Counter[str] = field(default_factory=Counter)
    who: Counter[str] = field(default_factory=Counter)
    slowest: list[tuple[float, float, str, str]] = field(default_factory=list)
    askers: set[Any] = field(default_factory=set)
    again: list[str] = field(default_factory=list)
    repeated: int = 0
    ending: bool = False
    waiting: int = 0
    context: ssl.SSLContext | None = None

    def number(self) -> str:
        """The next request's id: of one that nobody has processed, as the proxy said, or a new one."""
        if self.again:
            self.repeated += 1
            return self.again.pop()
        self.sent += 1
        return f"{self.order.name}{self.sent - 1:x}"

    def request(self) -> tuple[str, bytes]:
        """The next id and its request's bytes."""
        number = self.number()
        head = f"{self.order.method} /{number} HTTP/1.1\r\nHost: {self.order.host}\r\nX-Request-Id: {number}\r\n"
        if not (body := self.body(number)):
            return number, f"{head}\r\n".encode()
        return number, f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body

    def body(self, number: str) -> bytes:
        """Of that request."""
        return body_of(number, self.order.size) if self.order.method == "POST" else b""

    def expected(self, number: str) -> bytes:
        """What follows the container's name in the right answer."""
        if self.order.method != "POST":
            return number.encode()
        return f"{number} {self.order.size} {zlib.crc32(body_of(number, self.order.size))}".encode()

    def succeeded(self, number: str, sent: float, who: str) -> None:
        """A right answer."""
        took = time.time() - sent
        self.done += 1
        self.who[who] += 1
        if len(self.slowest) < SLOWEST:
            heapq.heappush(self.slowest, (took, sent, number, who))
        elif took > self.slowest[0][0]:
            heapq.heapreplace(self.slowest, (took, sent, number, who))

    def fail(self, number: str, sent: float, kind: str, nth: int, proxy_status: str = "") -> None:
        """No right answer to this one."""
        self.lost(Failure(number, sent, (time.time() - sent) * 1e3, kind, nth, proxy_status))

    def lost(self, failure: Failure) -> None:
        """No right answer."""
        self.failed += 1
        self.kinds[failure.kind] += 1
        if len(self.failures) < KEPT:
            self.failures.append(failure)

    async def connect(self) -> None:
        """One more connection. One that is refused is a request that failed."""
        loop = asyncio.get_running_loop()
        self.waiting += 1
        while not self.ending:
            begun = time.time()
            try:
                async with asyncio.timeout(self.order.limit):
                    await loop.create_connection(self.asker, self.order.address, self.order.port, **self.sealed())
                break
            except OSError as error:
                number, _ = self.request()
                self.fail(number, begun, type(error).__name__, 0)
                await asyncio.sleep(PAUSE)
        self.waiting -= 1

    def replace(self) -> None:
        """One more connection, in the place of one that is over."""
        task = asyncio.get_running_loop().create_task(self.connect())
        task.add_done_callback(lambda done: done.exception())

    def asker(self) -> asyncio.Protocol:
        """What asks on a new connection."""
        return H2Asker(self) if self.order.protocol == "h2" else Asker(self)

    def sealed(self) -> dict[str, Any]:
        """How it is within TLS."""
        if self.order.protocol == "http":
            return {}
        if self.context is None:
            self.context = trusting(Path(self.order.ca), "h2" if self.order.protocol == "h2" else "http/1.1")
        return {"ssl": self.context, "server_hostname": self.order.host}

    async def run(self) -> dict[str, Any]:
        """Ask until standard input ends, then until what is asked has been answered."""
        loop = asyncio.get_running_loop()
        over = loop.run_in_executor(None, sys.stdin.read)
        begun = time.time()
        connections = -(-self.order.connections // STREAMS) if self.order.protocol == "h2" else self.order.connections
        await asyncio.gather(*(self.connect() for _ in range(connections)))
        print("ready", flush=True)
        while not over.done():
            self.overdue()
            await asyncio.sleep(0.05)
        ended = time.time()
        counted, self.ending = self.done, True
        while self.askers or self.waiting:
            self.overdue()
            await asyncio.sleep(0.01)
        return self.report(begun, ended, counted)

    def overdue(self) -> None:
        """Give up what takes too long; leave what is idle at the end."""
        now = time.time()
        for asker in tuple(self.askers):
            asker.overdue(now)

    def report(self, begun: float, ended: float, counted: int) -> dict[str, Any]:
        """Everything, in seconds since 1970 and milliseconds."""
        slowest = [{"ms": took * 1e3, "at": at, "id": number, "who": who} for took, at, number, who in sorted(self.slowest, reverse=True)]
        return {
            "order": asdict(self.order),
            "begun": begun,
            "ended": ended,
            "rate": counted / (ended - begun),
            "done": self.done,
            "failed": self.failed,
            "repeated": self.repeated,
            "kinds": dict(self.kinds),
            "who": dict(self.who),
            "slowest": slowest,
            "failures": [asdict(failure) for failure in self.failures],
        }


def body_of(number: str, size: int) -> bytes:
    """The body of that request: its id, over and over."""
    text = f"{number}\n".encode()
    return (text * (size // len(text) + 1))[:size]


class Asker(asyncio.Protocol):
    """One connection: asks, checks, asks again."""

    transport: asyncio.Transport

    def __init__(self, load: Load) -> None:
        self.load = load
        self.buffer = bytearray()
        self.number = ""
        self.sent = 0.0
        self.nth = -1

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Ask at once."""
        self.transport = transport  # type: ignore[assignment]
        self.load.askers.add(self)
        self.ask()

    def ask(self) -> None:
        """The next request, or the end."""
        if self.load.ending or self.transport.is_closing():
            self.transport.close()
            return
        self.number, data = self.load.request()
        self.nth += 1
        self.sent = time.time()
        self.transport.write(data)

    def data_received(self, data: bytes) -> None:
        """An answer, or a part of one."""
        self.buffer += data
        end = self.buffer.find(b"\r\n\r\n") + 4
        if end < 4:
            return
        lines = bytes(self.buffer[: end - 4]).split(b"\r\n")
        fields = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines[1:])}
        if b"content-length" not in fields:
            self.fail("an answer without a length")
        elif len(self.buffer) >= end + (size := int(fields[b"content-length"])):
            body = bytes(self.buffer[end : end + size])
            del self.buffer[: end + size]
            self.answered(lines[0].split(b" ")[1].decode(), fields, body)

    def answered(self, status: str, fields: dict[bytes, bytes], body: bytes) -> None:
        """A whole answer: count it, and ask again."""
        number, self.number = self.number, ""
        who, _, rest = body.strip().partition(b" ")
        if status == "200" and rest == self.load.expected(number):
            self.load.succeeded(number, self.sent, who.decode())
        else:
            kind = "wrong body" if status == "200" else f"status {status}"
            self.load.fail(number, self.sent, kind, self.nth, fields.get(b"proxy-status", b"").decode())
        once = self.load.order.protocol == "passthrough"
        if self.buffer or once or fields.get(b"connection", b"").lower() == b"close":
            self.transport.close()
        elif self.load.order.pause:
            asyncio.get_running_loop().call_later(self.load.order.pause, self.ask)
        else:
            self.ask()

    def overdue(self, now: float) -> None:
        """Give up what takes too long."""
        if self.number and now - self.sent > self.load.order.limit:
            self.fail("timeout")

    def fail(self, kind: str) -> None:
        """No answer will come."""
        if self.number:
            self.load.fail(self.number, self.sent, kind, self.nth)
            self.number = ""
        self.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Whatever was asked has no answer; another connection takes the place of this one."""
        self.load.askers.discard(self)
        self.fail(f"closed ({type(exc).__name__})" if exc else "closed")
        if not self.load.ending:
            self.load.replace()


if __name__ == "__main__":
    order = Order(**json.loads(sys.argv[1]))
    with suppress(KeyboardInterrupt):
        Path(sys.argv[2]).write_text(json.dumps(uvloop.run(Load(order).run())))
