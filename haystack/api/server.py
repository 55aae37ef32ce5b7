"""The web side's unix sockets: workers relay there what is asked of Haystack itself.

They listen from the start; what answers is large, takes a while to import, and is loaded with the first request (serving.py). Never listens
on a port. The sockets' folder belongs to Haystack.
"""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import structlog

from haystack.loop import on_demand
from haystack.proxy.worker_setup import health_of, proof_of
from haystack.views.state import State

if TYPE_CHECKING:
    from haystack.api.serving import Web

BACKLOG = 2048  # as uvicorn's own
CONNECTIONS = 32
log = structlog.get_logger(__name__)


class ApiServer:
    """The web side of `state` at the unix socket `path`, and beside it what everybody may know.

    group: that of the workers, where they are another user's; connections: of the workers at most;
    answers: to certificate authorities, None: nobody asks them for anything.
    """

    def __init__(
        self,
        state: State,
        path: str | Path,
        group: int | None = None,
        connections: int = CONNECTIONS,
        answers: Callable[[str, str], str | None] | None = None,
    ) -> None:
        self._state, self._connections, self._answers = state, connections, answers
        self._group = group
        self.path = Path(path)
        self._paths = [self.path, Path(health_of(str(path)))]
        if answers is not None:
            self._paths.append(Path(proof_of(str(path))))
        self._sockets: list[socket.socket] = []
        self._waiting: asyncio.Task[None] | None = None
        self._web: Web | None = None
        self._leaving = False

    async def start(self) -> None:
        """Listen. Raises OSError when a socket cannot be made."""
        for path in self._paths:
            self._sockets.append(self._listening(path))
        self._waiting = asyncio.create_task(on_demand.served(self._sockets, self._serve, "api"), name="api")

    def _listening(self, path: Path) -> socket.socket:
        made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            made.setblocking(False)
            made.bind(str(path))
            path.chmod(0o600 if self._group is None else 0o660)  # only the workers have business here
            if self._group is not None:
                os.chown(path, -1, self._group)
            made.listen(BACKLOG)
        except BaseException:
            made.close()
            raise
        return made

    async def _serve(self) -> None:
        """From the first request on."""
        serving: Any = await on_demand.module("haystack.api.serving")
        web = self._web = serving.Web(self._state, self._connections, self._answers)
        if self._leaving:
            web.leave()
        await web.start(self._sockets)

    def leave(self) -> None:
        """End what would go on for ever: who listens to events is to ask again, whoever serves then."""
        self._leaving = True
        if self._web is not None:
            self._web.leave()

    async def close(self) -> None:
        """Finish what is in flight and remove the sockets."""
        if self._waiting is not None:
            self._waiting.cancel()
            await asyncio.wait({self._waiting})
        if self._web is not None:
            await self._web.close()
        for sock, path in zip(self._sockets, self._paths, strict=False):
            sock.close()
            path.unlink(missing_ok=True)
        self._sockets = []
