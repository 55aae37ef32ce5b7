"""Long answers piece by piece, as fast as each client reads: what it has not taken yet is in memory once, for all clients together.

So many answers at once and no more: beyond, 503 with Retry-After. A client that does not read is let go. Never makes a body (pages.py).
"""

from __future__ import annotations

import asyncio

import structlog
from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from haystack.api.errors import refused
from haystack.api.pages import Body, Page

MOST = 128  # answers at once
STALLED = 10.0  # seconds for which a client may take nothing
LONGEST = 120.0  # seconds for a whole answer
BUSY = {"Retry-After": "1"}
log = structlog.get_logger("haystack.api")


class Streams:
    """Counts the answers that are under way."""

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self.running = 0


class Streamed(Response):
    """One answer: the page; 304 where the client has it (RFC 9110, section 13.1.2); 503 where too much is under way."""

    def __init__(self, streams: Streams, page: Page, headers: dict[str, str]) -> None:
        self._streams, self._page, self._told = streams, page, headers
        super().__init__(None, 200, headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if self._streams.running >= self._streams.most:
            await refused(scope, 503, "too many requests at once", BUSY)(scope, receive, send)
            return
        self._streams.running += 1
        try:
            body = await self._page.body()
            headers = {**self._told, "ETag": body.tag}
            if has(Headers(scope=scope).get("if-none-match", ""), body.tag):
                await Response(None, 304, headers)(scope, receive, send)
            else:
                await _send(body, Response(None, 200, {**headers, "Content-Length": str(body.size)}), scope, send)
        finally:
            self._streams.running -= 1


def has(asked: str, tag: str) -> bool:
    """Whether a field If-None-Match names this tag, by the weak comparison (RFC 9110, section 8.8.3.2)."""
    return any(each.strip().removeprefix("W/") in ("*", tag) for each in asked.split(","))


async def _send(body: Body, head: Response, scope: Scope, send: Send) -> None:
    """Each `send` waits while the client has much to read still. A client that takes too long does not get the rest."""
    try:
        async with asyncio.timeout(LONGEST):
            await send({"type": "http.response.start", "status": head.status_code, "headers": head.raw_headers})
            for at in range(len(body.pieces) if scope["method"] != "HEAD" else 0):
                if not body.pieces:
                    break
                async with asyncio.timeout(STALLED):
                    await send({"type": "http.response.body", "body": body.pieces[at], "more_body": True})
                await asyncio.sleep(0)  # who reads as fast as this is written never makes it wait
            else:
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                return
    except TimeoutError:
        pass
    log.warning("answer.cut", path=scope["path"], reason="the client read too slowly", bytes=body.size)
