"""Serves the web side on a unix socket: workers relay there what is asked of Haystack itself.

Never listens on a port of its own and never touches signals: those are app.py's. The socket's folder belongs to Haystack.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from socket import socket

import uvicorn
import uvicorn.lifespan.off  # what `lifespan="off"` would import on the event loop
from starlette.applications import Starlette
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from haystack.api import events, health, proofs
from haystack.api.feed import Feed
from haystack.api.figures import SecondFigures
from haystack.api.views import application
from haystack.proxy.worker_setup import health_of, proof_of
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


class ApiServer:
    """The web side of `state` at the unix socket `path`, and beside it what everybody may know.

    group: that of the workers, where they are another user's; connections: of the workers at most: half of them may be to /api/events;
    answers: to certificate authorities, None: nobody asks them for anything.
    """

    def __init__(
        self,
        state: State,
        path: str | Path,
        group: int | None = None,
        connections: int = 2 * events.MOST,
        answers: proofs.Answers | None = None,
    ) -> None:
        self.path = Path(path)
        self._feed = Feed(state, SecondFigures(state.rates, state.proxy.traffic))
        web = application(state, self._feed, min(events.MOST, connections // 2))
        doors = [(web, str(path)), (health.application(state), health_of(str(path)))]
        if answers is not None:
            doors.append((proofs.application(answers), proof_of(str(path))))
        self._doors = [Door(served, Path(at), group) for served, at in doors]

    async def start(self) -> None:
        """Listen. Raises OSError when a socket cannot be made."""
        for door in self._doors:
            await door.start()

    def leave(self) -> None:
        """End what would go on for ever: who listens to events is to ask again, whoever serves then."""
        self._feed.end()

    async def close(self) -> None:
        """Finish what is in flight and remove the sockets."""
        self.leave()
        for door in self._doors:
            await door.close()


class Door:
    """One application at one socket."""

    def __init__(self, served: Starlette, path: Path, group: int | None) -> None:
        self.path = path
        self._group = group
        self._server = Uvicorn(
            uvicorn.Config(
                served,
                uds=str(path),
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
        """Listen. Raises OSError when the socket cannot be made."""
        self._serving = asyncio.create_task(self._server.serve(), name="api")
        listening = asyncio.create_task(self._server.listening.wait())
        await asyncio.wait({self._serving, listening}, return_when=asyncio.FIRST_COMPLETED)
        listening.cancel()
        if self._serving.done():
            await self._serving
        # Only the workers have business here; uvicorn opens it to all.
        self.path.chmod(0o600 if self._group is None else 0o660)
        if self._group is not None:
            os.chown(self.path, -1, self._group)

    async def close(self) -> None:
        """Finish what is in flight and remove the socket."""
        if self._serving is None:
            return
        self._server.should_exit = True
        await asyncio.wait({self._serving})
        self.path.unlink(missing_ok=True)
        self._serving = None
