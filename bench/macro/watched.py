"""Haystack while its page is open, `top` runs in its shell, and Prometheus scrapes it each second: what does that cost its clients?"""

from __future__ import annotations

import asyncio
import http.client
import threading
from contextlib import ExitStack, suppress

import asyncssh

from bench.loop.load import Load
from bench.macro.traced import LIMIT, AttendedHaystack

OWN = "haystack"  # the name that it answers to itself
SCREEN = (100, 40)
SECOND = 1.0
SERVICE = "bench0"


class WatchedHaystack(AttendedHaystack):
    """The load is for bench0."""

    def __init__(self, origin: int, **settings: str) -> None:
        super().__init__(origin, **settings)
        self._stack = ExitStack()
        self._shown = asyncio.Event()
        self._reading: asyncio.Task[None] | None = None
        self.scrapes = Load(self._scrape, SECOND)
        self.page = Page()

    def start(self) -> None:
        """Start, log in and open the page. Raises RuntimeError where one of them does not work."""
        super().start()
        self._stack.enter_context(self.scrapes)
        self.page.open(self.port)
        self._stack.callback(self.page.close)

    async def _attend(self, connection: asyncssh.SSHClientConnection) -> None:
        process = await connection.create_process("top", term_type="xterm-256color", term_size=SCREEN)
        self._reading = asyncio.create_task(self._look(process.stdout))
        try:
            await asyncio.wait_for(self._shown.wait(), LIMIT)
        except TimeoutError:
            raise RuntimeError("`top` shows no service") from None

    async def _look(self, screen: asyncssh.SSHReader[str]) -> None:
        """Take all that `top` draws, for a terminal does not wait."""
        while drawn := await screen.read(1 << 16):
            if SERVICE in drawn:
                self._shown.set()

    async def _unread(self, reading: asyncio.Task[None]) -> None:
        """End what takes `top`'s output, before its event loop ends."""
        reading.cancel()
        await asyncio.wait({reading})

    def _scrape(self) -> None:
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=LIMIT)
        try:
            client.request("GET", "/metrics", headers={"Host": OWN, "Accept-Encoding": "gzip"})
            answer = client.getresponse()
            answer.read()
            if answer.status != http.client.OK:
                raise OSError(f"/metrics: {answer.status}")
        finally:
            client.close()

    def stop(self) -> None:
        """End all of them. Raises RuntimeError where one was not there to the end: then the figure is of something else."""
        self._stack.close()
        over = self._reading is None or self._reading.done()
        if self._reading is not None:
            asyncio.run_coroutine_threadsafe(self._unread(self._reading), self._loop).result(LIMIT)
        super().stop()
        failed = [*self.scrapes.failed, *self.page.failed, *(["`top` ended before"] if over else [])]
        if failed:
            raise RuntimeError(f"nobody watched all the time: {failed[0]}")


class Page:
    """What a browser does that shows the page: asks for it, and then takes all that /api/events tells."""

    def __init__(self) -> None:
        self.failed: list[str] = []
        self._closing = False
        self._client: http.client.HTTPConnection | None = None
        self._thread = threading.Thread(target=self._take, daemon=True)

    def open(self, port: int) -> None:
        """Return when the first of it has come. Raises RuntimeError."""
        client = self._client = http.client.HTTPConnection("127.0.0.1", port, timeout=LIMIT)
        client.request("GET", "/ui", headers={"Host": OWN})
        client.getresponse().read()
        client.request("GET", "/api/events", headers={"Host": OWN, "Accept": "text/event-stream"})
        self._answer = client.getresponse()
        if self._answer.status != http.client.OK or not self._answer.readline():
            raise RuntimeError(f"/api/events: {self._answer.status}")
        self._thread.start()

    def _take(self) -> None:
        with suppress(OSError, ValueError, http.client.HTTPException):
            while self._answer.read1(1 << 16):
                pass
        if not self._closing:
            self.failed.append("/api/events ended before")

    def close(self) -> None:
        """Leave the page."""
        self._closing = True
        if self._client is not None and self._client.sock is not None:
            self._client.sock.close()
        self._thread.join(SECOND)
