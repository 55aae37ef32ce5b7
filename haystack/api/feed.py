"""What /api/events tells, made once for all who listen, and only while somebody does.

A change of the snapshot is told at once, and the next ones PACE seconds later at the earliest; what may change without one is looked at
each second. Never knows how a message travels (events.py).
"""

from __future__ import annotations

import asyncio
import secrets
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager, suppress

from haystack.api.figures import SecondFigures
from haystack.api.live_rows import LiveRows, Touched
from haystack.api.ring import Ring
from haystack.loop.turns import in_turns
from haystack.model.snapshot import Snapshot
from haystack.views.state import State

PACE = 0.1  # seconds
SECOND = 1.0
LINGER = 30.0  # seconds without a listener after which nothing is made any more: a page that is loaded again finds it there
MOST = 32 * 1024  # bytes of rows in a message, or one row more


class Feed:
    """Over one state. figures: of each second; ended: nothing more will be told, for Haystack stops."""

    def __init__(self, state: State, figures: SecondFigures | None = None) -> None:
        self._state, self._figures = state, figures
        self._second = 0
        self._boot = secrets.token_hex(4)
        self._rows = LiveRows(state)
        self._ring = Ring()
        self._touched = Touched()
        self._dirty, self._primed, self._news = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._listeners = 0
        self._making: asyncio.Task[None] | None = None
        self._rest: asyncio.TimerHandle | None = None
        self.ended = False

    @asynccontextmanager
    async def heard(self) -> AsyncIterator[None]:
        """Make it for one listener more, from when all is there."""
        self._listeners += 1
        if self._rest is not None:
            self._rest.cancel()
        if self._making is None or self._making.done():
            self._primed = asyncio.Event()
            self._making = asyncio.create_task(self._make(self._primed), name="events")
            self._making.add_done_callback(lambda _task: self._tell())
        try:
            await self._primed.wait()
            yield
        finally:
            self._listeners -= 1
            if not self._listeners:
                self._rest = asyncio.get_running_loop().call_later(LINGER, self.close)

    def close(self) -> None:
        """Make nothing any more, until somebody listens again."""
        if self._rest is not None:
            self._rest.cancel()
        if self._making is not None:
            self._making.cancel()
            self._making = None

    def end(self) -> None:
        """Have all who listen go: Haystack stops."""
        self.ended = True
        self.close()
        self._primed.set()
        self._tell()

    def place(self, identity: str) -> int:
        """The number of the message of this id; -1: nobody knows any such."""
        boot, _, number = identity.partition("-")
        return int(number) if boot == self._boot and number.isascii() and number.isdecimal() else -1

    def behind(self, number: int) -> list[bytes] | None:
        """The messages after the one of this number; None: too many, so that all has to be told."""
        return self._ring.behind(number)

    async def newer(self, number: int, seconds: float) -> bool:
        """Wait for a message after this one, so long at most; False: nothing happened. Raises what making one raised."""
        if self._making is not None and self._making.done() and not self.ended:
            self._making.result()
        if self._ring.number != number or self.ended:
            return True
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                return await self._news.wait()
        return False

    def whole(self) -> tuple[int, Iterator[bytes]]:
        """All there is, as messages, and the number behind which one who has read them goes on."""
        number = self._ring.number
        return number, self._all(number)

    def _all(self, number: int) -> Iterator[bytes]:
        yield _message("begin", b"{}")
        yield from (_message("change", rows) for rows in _packed(self._rows.whole()))
        if self._figures is not None:
            names = list(self._state.snapshot.services)
            yield from (_message("history", rows) for rows in _packed(self._figures.before(int(time.time()), names)))
            if now := self._figures.now():
                yield _message("figures", now)
        yield _message("complete", b"{}", self._identity(number))

    def _identity(self, number: int) -> str:
        return f"{self._boot}-{number}"

    async def _make(self, primed: asyncio.Event) -> None:
        """Until it is cancelled. primed: set once all is there, or nothing will be."""
        loop = asyncio.get_running_loop()
        self._touched = Touched()
        forget = self._state.registry.subscribe(self._note)
        try:
            await self._look()
            primed.set()
            while True:
                began = loop.time()
                await self._pause(began)
                for rows in _packed(await self._look()):
                    self._put("change", rows)
                if figures := await self._count():
                    self._put("figures", figures)
        finally:
            forget()
            primed.set()
            self._boot = secrets.token_hex(4)  # what changes from now on is in no message
            old, self._rows = self._rows, LiveRows(self._state)
            await in_turns(old.forget())

    async def _look(self) -> list[bytes]:
        """The rows that are other than the last time."""
        touched, self._touched = self._touched, Touched(everything=False)
        snapshot = self._state.snapshot
        rows = self._rows.take_summary(snapshot)
        if touched:
            rows += await in_turns(self._rows.take(snapshot, touched))
        rows += await in_turns(self._rows.take_certificates())
        return rows + self._rows.take_entries()

    async def _count(self) -> bytes:
        """The figures of the second that has begun, where one has."""
        second = int(time.time())
        if self._figures is None or second == self._second:
            return b""
        self._second = second
        return await in_turns(self._figures.take(second))

    def _put(self, event: str, data: bytes) -> None:
        self._ring.put(_message(event, data, self._identity(self._ring.number + 1)))
        self._tell()

    async def _pause(self, began: float) -> None:
        """Until there is something to look at, or a second begins."""
        with suppress(TimeoutError):
            async with asyncio.timeout(SECOND - time.time() % SECOND):
                await self._dirty.wait()
        await asyncio.sleep(max(0.0, began + PACE - asyncio.get_running_loop().time()))
        self._dirty.clear()

    def _note(self, snapshot: Snapshot) -> None:
        self._touched.note(snapshot.change)
        self._dirty.set()

    def _tell(self) -> None:
        """Wake all who wait."""
        news, self._news = self._news, asyncio.Event()
        news.set()


def _message(event: str, data: bytes, identity: str = "") -> bytes:
    """One event of a stream (WHATWG HTML, section 9.2.6). data: JSON, which has no line ends."""
    head = f"event: {event}\nid: {identity}\ndata: " if identity else f"event: {event}\ndata: "
    return head.encode() + data + b"\n\n"


def _packed(rows: Iterable[bytes]) -> Iterator[bytes]:
    """Rows as JSON arrays of some of them."""
    some: list[bytes] = []
    size = 0
    for row in rows:
        some.append(row)
        size += len(row)
        if size >= MOST:
            yield b"[" + b",".join(some) + b"]"
            some, size = [], 0
    if some:
        yield b"[" + b",".join(some) + b"]"
