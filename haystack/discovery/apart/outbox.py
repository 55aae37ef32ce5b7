"""In the discovery process: the Sink of its providers, which sends on what differs from the list that was sent before.

Of each source only the newest list waits: the control process may be slower than an engine. Never blocks its loop.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from itertools import chain

import structlog
from msgspec.structs import replace

from haystack.discovery.apart.messages import Beat, Failed, Line, Message, Part, Withdrawn, packed
from haystack.model.listed import Listed, Some, differing
from haystack.model.records import Container, Listing

PORTION = 50  # containers in a message: a third of a millisecond to read for who receives it
BEAT_SECONDS = 2.0
MOST_LINES = 1000  # that wait; further ones are dropped
Write = Callable[[Line], None]


class Outbox:
    """A Sink. writer: of the channel to the control process."""

    def __init__(self, writer: asyncio.StreamWriter) -> None:
        self._writer = writer
        self._newest: dict[str, tuple[Listing, bool]] = {}  # and whether it is outdated
        self._withdrawn: set[str] = set()
        self._failed: dict[str, str] = {}
        self._sent: dict[str, Some] = {}
        self._lines: list[Line] = []
        self._news = asyncio.Event()

    def replace(self, source: str, listing: Listing) -> None:
        """Send this on, or what comes after it."""
        self._failed.pop(source, None)
        self._newest[source] = listing, False
        self._news.set()

    def failed(self, source: str, error: str) -> None:
        """Send this on, behind the list that was told before."""
        self._failed[source] = error
        self._news.set()

    def outdated(self, source: str, listing: Listing) -> None:
        """Send this on as what is left of a source that can't be read."""
        self._newest[source] = listing, True
        self._news.set()

    def withdraw(self, source: str) -> None:
        """Send on that there is no such source; what comes of it afterwards is all there is."""
        for known in (self._newest, self._failed):
            known.pop(source, None)
        self._withdrawn.add(source)
        self._news.set()

    def write(self, line: Line) -> None:
        """A line for the log. On the loop's thread."""
        if len(self._lines) < MOST_LINES:
            self._lines.append(line)
            self._news.set()

    async def run(self) -> None:
        """Send until cancelled. Raises ConnectionError where nobody receives it any more."""
        while True:
            await self._news.wait()
            self._news.clear()
            lines, self._lines = self._lines, []
            for line in lines:
                await self._send(line)
            while self._withdrawn or self._newest:
                await self._next()
            while self._failed:
                source, error = self._failed.popitem()
                await self._send(Failed(source, error))

    async def beat(self) -> None:
        """Say again and again that this process runs, until cancelled. Where something waits to be received, that says so already."""
        while True:
            if not self._writer.transport.get_write_buffer_size():
                self._writer.write(packed(Beat()))
            await asyncio.sleep(BEAT_SECONDS)

    async def _next(self) -> None:
        """One source; what is none any more first, for it may have come back meanwhile."""
        if self._withdrawn:
            source = self._withdrawn.pop()
            self._sent.pop(source, None)
            await self._send(Withdrawn(source))
        else:
            source = next(iter(self._newest))
            await self._tell(source, *self._newest.pop(source))

    async def _tell(self, source: str, listing: Listing, outdated: bool) -> None:
        for part in parts(source, self._sent.get(source), listing, outdated=outdated):
            await self._send(part)
        self._sent[source] = listing.containers

    async def _send(self, message: Message) -> None:
        self._writer.write(packed(message))
        await self._writer.drain()


def parts(source: str, before: Some | None, listing: Listing, *, outdated: bool = False) -> Iterator[Part]:
    """What makes this list of the one before (None: there was none), in portions; the last one has the rest of the list."""
    old, new = differing(before if before is not None else Listed(), listing.containers)
    there = {c.id: c for c in chain.from_iterable(old)}
    here: dict[str, Container] = {}
    for container in chain.from_iterable(new):
        here.setdefault(container.id, container)  # it may list one twice: the first counts
    changed = [c for c in here.values() if there.get(c.id) != c]
    gone = tuple(identity for identity in there if identity not in here)
    rest = replace(listing, containers=())
    whole = before is None
    for at in range(0, max(len(changed) - PORTION, 0), PORTION):
        yield Part(source, changed=tuple(changed[at : at + PORTION]), whole=whole)
    last = (len(changed) - 1) // PORTION * PORTION if changed else 0
    yield Part(source, changed=tuple(changed[last:]), gone=gone, whole=whole, outdated=outdated, listing=rest)


class _Others(logging.Handler):
    """What libraries log."""

    def __init__(self, write: Write) -> None:
        super().__init__(logging.WARNING)
        self._write = write

    def emit(self, record: logging.LogRecord) -> None:
        """Hand over one line."""
        self._write(Line(record.name, record.levelname.lower(), record.getMessage(), {}))


def forward(write: Write) -> None:
    """Have every line of this process's log handed to `write`, from whichever thread it is."""

    def send(_logger: object, method: str, event: structlog.typing.EventDict) -> structlog.typing.EventDict:
        name, what = str(event.pop("logger", "")), str(event.pop("event", ""))
        write(Line(name, "error" if method == "exception" else method, what, dict(event)))
        raise structlog.DropEvent

    logging.getLogger().handlers[:] = [_Others(write)]
    structlog.configure(
        processors=[structlog.stdlib.add_logger_name, structlog.processors.format_exc_info, send],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
