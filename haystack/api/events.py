"""/api/events: what is there, and then each change of it, as server-sent events (WHATWG HTML, section 9.2).

First all rows, then only those that change. A client that reads slowly falls behind and is told all anew; one that does not read is let
go. So many at once and no more. Never makes a message (feed.py).
"""

from __future__ import annotations

import asyncio

import structlog
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from haystack.api.errors import refused
from haystack.api.feed import Feed
from haystack.api.streamed import BUSY, LONGEST, STALLED, Streams

MOST = 16  # clients at once
HEARTBEAT = 10.0  # seconds without a message after which a comment is sent: workers take longer silence for a dead control process
RETRY = b"retry: 1000\n\n"  # milliseconds after which a client whose connection has ended comes again
HEADERS = {"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "X-Accel-Buffering": "no"}
log = structlog.get_logger("haystack.api")


class EventStream(Response):
    """One client's stream; 503 where too many are under way, or where Haystack stops."""

    def __init__(self, streams: Streams, feed: Feed) -> None:
        self._streams, self._feed = streams, feed
        super().__init__(None, 200, HEADERS)
        del self.headers["content-length"]  # which Starlette makes 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if self._streams.running >= self._streams.most or self._feed.ended:
            await refused(scope, 503, "too many listen already", BUSY)(scope, receive, send)
            return
        self._streams.running += 1
        try:
            await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
            if scope["method"] != "HEAD":
                await self._tell(Headers(scope=scope).get("last-event-id", ""), receive, send)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self._streams.running -= 1

    async def _tell(self, last: str, receive: Receive, send: Send) -> None:
        """Until the client goes, or has to."""
        work = {asyncio.create_task(self._follow(last, send), name="event stream"), asyncio.create_task(_gone(receive))}
        try:
            done, _ = await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in work:
                task.cancel()
        for task in done:
            if not isinstance(task.exception(), TimeoutError | None):
                task.result()
            if task.exception() is not None:
                log.warning("answer.cut", path="/api/events", reason="the client read too slowly")

    async def _follow(self, last: str, send: Send) -> None:
        """Raises TimeoutError when the client takes nothing."""
        await _send(send, RETRY)
        async with self._feed.heard():
            number = self._feed.place(last)
            while not self._feed.ended:
                messages = self._feed.behind(number)
                if messages is None:
                    number = await self._all(send)
                    continue
                for message in messages:
                    await _send(send, message)
                number += len(messages)
                if not messages and not await self._feed.newer(number, HEARTBEAT):
                    await _send(send, b": still here\n\n")

    async def _all(self, send: Send) -> int:
        number, messages = self._feed.whole()
        async with asyncio.timeout(LONGEST):
            for message in messages:
                await _send(send, message)
                await asyncio.sleep(0)  # who reads as fast as this is written never makes it wait
        return number


async def _send(send: Send, data: bytes) -> None:
    """Waits while the client has much to read still."""
    async with asyncio.timeout(STALLED):
        await send({"type": "http.response.body", "body": data, "more_body": True})


async def _gone(receive: Receive) -> None:
    """Until the client has."""
    while (await receive())["type"] != "http.disconnect":
        pass
