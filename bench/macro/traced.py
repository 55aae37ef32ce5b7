"""Haystack with two services while a person at its shell watches the second: what does that cost the first?"""

from __future__ import annotations

import asyncio
import threading

import asyncssh

from bench.macro.peers import HaystackProxy

WATCHED = "bench1.services.haystack"
LIMIT = 15.0


class AttendedHaystack(HaystackProxy):
    """HaystackProxy with two services and a person at its shell from start() to stop()."""

    def __init__(self, origin: int, **settings: str) -> None:
        self._key = asyncssh.generate_private_key("ssh-ed25519")
        super().__init__(origin, services=2)
        self.settings |= settings | {"HAYSTACK_SSH_AUTHORIZED_KEYS": self._key.export_public_key().decode()}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._connection: asyncssh.SSHClientConnection | None = None

    def start(self) -> None:
        """Start, log in and do what that person does. Raises RuntimeError where that does not work."""
        super().start()
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._enter(), self._loop).result(LIMIT)

    async def _enter(self) -> None:
        self._connection = await asyncssh.connect(
            "127.0.0.1", int(self.told["ssh"]), username="bench", client_keys=[self._key], known_hosts=None, config=None, agent_path=None
        )
        await self._attend(self._connection)

    async def _attend(self, connection: asyncssh.SSHClientConnection) -> None:
        """Do it; return once it is seen to work."""
        raise NotImplementedError

    def stop(self) -> None:
        """Log out and end it."""
        if self._connection is not None:
            self._loop.call_soon_threadsafe(self._connection.abort)
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        super().stop()


class TracedHaystack(AttendedHaystack):
    """The person has the service bench1 traced; the load is for bench0."""

    async def _attend(self, connection: asyncssh.SSHClientConnection) -> None:
        process = await connection.create_process()
        process.stdin.write(f"trace on {WATCHED}\n")
        while "trace on" not in (line := await process.stdout.readline()):
            if not line:
                raise RuntimeError("the shell ended before the trace was on")
