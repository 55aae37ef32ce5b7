"""A small asyncio client that asks one service without pause and remembers which container answered each request."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Answer:
    """sent and received in nanoseconds since 1970, as the engine counts; who: the body, which is the container's name."""

    sent: int
    received: int
    status: int
    who: str


async def ask(port: int, host: str, address: str = "127.0.0.1") -> Answer:
    """One GET on a connection of its own. Raises OSError when there is no whole answer."""
    reader, writer = await asyncio.open_connection(address, port)
    try:
        sent = time.time_ns()
        writer.write(f"GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
    finally:
        writer.close()
    words = head.split(b" ", 2)
    if len(words) < 2 or not words[1].isdigit():
        raise ConnectionError("the connection ended without an answer")
    return Answer(sent, time.time_ns(), int(words[1]), body.decode(errors="replace").strip())


async def first_answer(port: int, host: str, address: str = "127.0.0.1", limit: float = 20) -> int:
    """When the first 200 was received, in nanoseconds since 1970. Raises TimeoutError after `limit` seconds."""
    async with asyncio.timeout(limit):
        while True:
            try:
                answer = await asyncio.wait_for(ask(port, host, address), 1)
            except OSError:
                answer = None
            if answer and answer.status == 200:
                return answer.received
            await asyncio.sleep(0.001)


@dataclass
class Stream:
    """Several clients asking in a row until stop(). answers: every one; failed: requests without a 200."""

    port: int
    host: str
    clients: int = 4
    answers: list[Answer] = field(default_factory=list)
    failed: int = 0
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def start(self) -> None:
        """Begin to ask."""
        self._tasks = [asyncio.create_task(self._ask()) for _ in range(self.clients)]

    async def stop(self) -> None:
        """Give up what is being asked."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _ask(self) -> None:
        while True:
            try:
                answer = await ask(self.port, self.host)
            except OSError:
                self.failed += 1
                continue
            self.answers.append(answer)
            self.failed += answer.status != 200

    def who(self) -> set[str]:
        """Names of the containers that have answered so far."""
        return {answer.who for answer in self.answers if answer.status == 200}

    def last_sent_to(self, who: str) -> int:
        """When the last request that this container answered was sent."""
        return max(answer.sent for answer in self.answers if answer.who == who)
