"""The DNS log: rows of the workers become lines, with the name of the container that asked, and go where the access log goes.

In turns, for there may be a hundred thousand a second; what waits is bounded. Never does: see an answer, delay one.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

from haystack._fast.dns import query_lines
from haystack.dns import words
from haystack.loop.turns import Turns, in_turns

ROOM = 32 << 20  # octets of rows that may wait
ROWS = 50  # in a turn: some dozen microseconds
WRITTEN = 1000  # lines at once: whoever writes them is another thread

Write = Callable[[bytes, int, int], None]


class Words(dict[int, bytes]):
    """A number's word, made when it is asked for first."""

    def __init__(self, word: Callable[[int], str]) -> None:
        super().__init__()
        self._word = word

    def __missing__(self, number: int) -> bytes:
        made = self[number] = self._word(number).encode()
        return made


class QueryLog:
    """names: of clients by their addresses, as this form has them; write: takes whole lines, how many, and how many more were lost."""

    def __init__(self, names: dict[bytes, bytes], write: Write, *, plain: bool, room: int = ROOM) -> None:
        self._plain = plain
        self._names = names
        self._write = write
        self._room = room
        self._types, self._rcodes = Words(words.qtype), Words(words.rcode)
        self._waiting: deque[tuple[int, bytes, int]] = deque()
        self._octets = 0
        self._task: asyncio.Task[None] | None = None

    def take(self, worker: int, rows: bytes, count: int, dropped: int) -> None:
        """Queue so many rows of a worker, which had no room for `dropped` more."""
        if self._octets + len(rows) > self._room:
            rows, count, dropped = b"", 0, dropped + count
        if dropped:
            self._write(b"", 0, dropped)
        if not rows:
            return
        self._waiting.append((worker, rows, count))
        self._octets += len(rows)
        if self._task is None or self._task.done():
            self._task = asyncio.get_running_loop().create_task(in_turns(self._lines()))

    def _lines(self) -> Turns[None]:
        while self._waiting:
            worker, rows, count = self._waiting.popleft()
            try:
                yield from self._batch(worker, rows, count)
            finally:
                self._octets -= len(rows)

    def _batch(self, worker: int, rows: bytes, count: int) -> Turns[None]:
        at, parts, made = 0, [], 0
        for done in range(0, count, ROWS):
            lines, at = query_lines.lines(rows, at, ROWS, self._plain, worker, self._types, self._rcodes, self._names)
            parts.append(lines)
            made += min(ROWS, count - done)
            if made >= WRITTEN or done + ROWS >= count:
                self._write(b"".join(parts), made, 0)
                parts, made = [], 0
            yield

    async def close(self) -> None:
        """Write what waits."""
        if self._task is not None:
            await asyncio.wait({self._task})
