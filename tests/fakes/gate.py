"""An origin that answers one request at a time, when a test says so."""

from __future__ import annotations

import asyncio

from tests.fakes.origin import OK, Call, Loop, Origin, respond


class Gate:
    """An origin that answers a request when it is told to.

    waiting: requests that it has and has not answered; seen: all, by path; says: its answer.
    """

    def __init__(self, loop: Loop) -> None:
        self.waiting: list[asyncio.Event] = []
        self.seen: list[str] = []
        self.loop = loop
        self.says = OK
        self.origin = Origin(loop, self.take).start()

    async def take(self, call: Call) -> None:
        told = asyncio.Event()
        self.waiting.append(told)
        self.seen.append(call.request.line.split()[1])
        await told.wait()
        if call.request.fields("upgrade"):
            await call.send(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n")
            await call.reader.read()
            return
        await respond(self.says)(call)

    def answer(self) -> None:
        """Answer the oldest."""

        async def tell() -> None:
            self.waiting.pop(0).set()

        self.loop.run(tell())

    def fresh(self) -> Gate:
        """As for the first time."""
        self.waiting.clear()
        self.seen.clear()
        self.says = OK
        return self
