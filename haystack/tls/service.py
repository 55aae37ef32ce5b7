"""TLS in the control process: the store, its sources, and what workers are told of both. Never does a handshake.

Nothing of it runs where no source of certificates is set.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from haystack.settings.settings import Settings
from haystack.tls.feed import Feed
from haystack.tls.messages import ClientCas, TicketKeys, TlsPart
from haystack.tls.store import Store
from haystack.tls.tickets import Tickets

if TYPE_CHECKING:
    from haystack.tls.client_authorities import ClientAuthoritiesFile

_log = structlog.get_logger("haystack")
Told = TlsPart | TicketKeys | ClientCas


class TlsService:
    """store: where each source puts what it has. tell: sends a message to every worker.

    handed: ticket keys of the Haystack before this; age: of the newest.
    """

    def __init__(self, settings: Settings, tell: Callable[[Told], None], handed: tuple[bytes, ...] = (), age: float = 0.0) -> None:
        self._settings = settings
        self._tell = tell
        self.store = Store()
        self.tickets = Tickets(tell, handed, age)
        self._feed = Feed(tell)
        self._clients: ClientAuthoritiesFile | None = None
        self._tasks: list[asyncio.Task[None]] = []

    async def start(self) -> None:
        """Have read what there is: clients come next."""
        self.store.subscribe(self._feed.follow)
        if self._settings.tls_client_ca is not None:
            await self._ask_clients(self._settings.tls_client_ca)
        if self._settings.certs is not None:
            from haystack.tls.folder import Folder  # noqa: PLC0415 - what this start does not use is not loaded

            folder = Folder(self._settings.certs, self.store)
            await folder.look(patient=False)
            self._spawn(folder.run(), "certificates")
        self.store.publish()
        self._spawn(self.tickets.run(), "tickets")
        self._spawn(self.store.run(), "validity of certificates")

    def welcome(self) -> Iterator[Told]:
        """What a worker has to know before it accepts anybody."""
        yield self.tickets.welcome()
        if self._clients is not None:
            yield from self._clients.welcome()
        yield from self._feed.welcome()

    async def _ask_clients(self, path: Path) -> None:
        from haystack.tls.client_authorities import ClientAuthoritiesFile  # noqa: PLC0415 - what this start does not use is not loaded

        self._clients = ClientAuthoritiesFile(path, self._tell)
        await self._clients.look()
        self._spawn(self._clients.run(), "authorities of clients")

    async def close(self) -> None:
        """End the sources."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _spawn(self, work: Coroutine[Any, Any, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        task.add_done_callback(_finished)
        self._tasks.append(task)


def _finished(task: asyncio.Task[None]) -> None:
    """One that fails does not do so silently."""
    if not task.cancelled() and (error := task.exception()) is not None:
        _log.error("task.failed", task=task.get_name(), error=repr(error), exc_info=error)
