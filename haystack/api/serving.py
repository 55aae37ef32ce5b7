"""The web side as it answers: uvicorn on sockets that listen already. server.py loads this with the first request.

Never touches signals: those are app.py's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from socket import socket

import uvicorn
import uvicorn.lifespan.off  # what `lifespan="off"` would import on the event loop
from starlette.applications import Starlette
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from haystack.api import events, health, proofs
from haystack.api.feed import Feed
from haystack.api.figures import SecondFigures
from haystack.api.views import application
from haystack.views.state import State

# Uvicorn's patience with requests in flight when it stops. An answer takes milliseconds.
GRACE_SECONDS = 2


class Uvicorn(uvicorn.Server):
    """Uvicorn that leaves the signals alone and says when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = asyncio.Event()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Signals are for the whole process tree, not for one server in it."""
        yield

    async def startup(self, sockets: list[socket] | None = None) -> None:
        """Listen, then tell."""
        await super().startup(sockets=sockets)
        self.listening.set()


class Web:
    """All doors, each an application at its socket. connections: of the workers at most: half of them may be to /api/events."""

    def __init__(self, state: State, connections: int, answers: proofs.Answers | None) -> None:
        self._feed = Feed(state, SecondFigures(state.rates, state.proxy.traffic))
        self._applications = [application(state, self._feed, min(events.MOST, connections // 2)), health.application(state)]
        if answers is not None:
            self._applications.append(proofs.application(answers))
        self._doors: list[Door] = []

    async def start(self, sockets: list[socket]) -> None:
        """Serve at these sockets, in the order of server.py."""
        self._doors = [Door(served, sock) for served, sock in zip(self._applications, sockets, strict=True)]
        for door in self._doors:
            await door.start()

    def leave(self) -> None:
        """End what would go on for ever: who listens to events is to ask again, whoever serves then."""
        self._feed.end()

    async def close(self) -> None:
        """Finish what is in flight."""
        self.leave()
        for door in self._doors:
            await door.close()


class Door:
    """One application at one socket."""

    def __init__(self, served: Starlette, sock: socket) -> None:
        self._socket = sock
        self._server = Uvicorn(
            uvicorn.Config(
                served,
                http=HttpToolsProtocol,  # itself, for what it is named by is imported on the event loop: 10 ms
                log_config=None,
                access_log=False,
                lifespan="off",
                ws="none",
                proxy_headers=False,
                server_header=False,
                timeout_graceful_shutdown=GRACE_SECONDS,
            )
        )
        self._serving: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Serve."""
        self._serving = asyncio.create_task(self._server.serve(sockets=[self._socket]), name="api")
        listening = asyncio.create_task(self._server.listening.wait())
        await asyncio.wait({self._serving, listening}, return_when=asyncio.FIRST_COMPLETED)
        listening.cancel()
        if self._serving.done():
            await self._serving

    async def close(self) -> None:
        """Finish what is in flight."""
        if self._serving is None:
            return
        self._server.should_exit = True
        await asyncio.wait({self._serving})
        self._serving = None
