"""Haystack with two services while a person at its shell watches the second: what does that cost the first?"""

from __future__ import annotations

import asyncio
import threading

import asyncssh

from bench.macro.peers import HaystackProxy

WATCHED = "bench1.services.haystack"
LIMIT = 15.0


class TracedHaystack(HaystackProxy):
    """HaystackProxy whose service bench1 is traced from start() to stop(); the load is for bench0."""

    def __init__(self, origin: int, **settings: str) -> None:
        self._key = asyncssh.generate_private_key("ssh-ed25519")
        super().__init__(origin, services=2)
        self.settings |= settings | {"HAYSTACK_SSH_AUTHORIZED_KEYS": self._key.export_public_key().decode()}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._connection: asyncssh.SSHClientConnection | None = None

    def start(self) -> None:
        """Start, log in and switch the trace on. Raises RuntimeError when the shell does not confirm it."""
        super().start()
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._watch(), self._loop).result(LIMIT)

    async def _watch(self) -> None:
        self._connection = await asyncssh.connect(
            "127.0.0.1", int(self.told["ssh"]), username="bench", client_keys=[self._key], known_hosts=None, config=None, agent_path=None
        )
        process = await self._connection.create_process()
        process.stdin.write(f"trace on {WATCHED}\n")
        while "trace on" not in (line := await process.stdout.readline()):
            if not line:
                raise RuntimeError("the shell ended before the trace was on")

    def stop(self) -> None:
        """Log out and end it."""
        if self._connection is not None:
            self._loop.call_soon_threadsafe(self._connection.abort)
        if self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        super().stop()
