"""Worker processes before they have work: how one is started, kept in store, and given its listening sockets.

One spare has imported everything and sleeps in a system call until it is given sockets: a worker that dies is replaced within
milliseconds instead of the time that Python takes to start. The supervisor takes from here. Never says what a worker is to do.

A process is started by subprocess, which shares this one's memory with it until it has become another program (vfork(2)). The event loop
copies the page tables instead (fork(2)): with 10,000 containers that holds the loop for 6 to 9 ms.
"""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys

import structlog

from haystack.proxy import launch, lending, sandbox
from haystack.proxy.account import Account

STACK_LIMIT = 16384
END_SECONDS = 0.005  # between two looks whether a process that is to end has ended
log = structlog.get_logger("haystack.proxy")


class WorkerProcess:
    """A process that waits for its sockets. sock: our end of its channel; stack: the file in which it tells where it is, when asked."""

    def __init__(self, process: subprocess.Popen[bytes], sock: socket.socket, stack: int) -> None:
        self.process = process
        self.sock = sock
        self._stack = stack

    @property
    def alive(self) -> bool:
        """Whether it has not ended yet."""
        return self.process.poll() is None

    def told(self) -> str:
        """What it has said of where it is; empty where it was not asked, or can't say."""
        return os.pread(self._stack, STACK_LIMIT, 0).decode(errors="replace").strip()

    def lend(self, sockets: lending.Lent) -> None:
        """Give it the sockets to listen on: it begins. Raises OSError where it has gone."""
        lending.lend(self.sock, sockets)

    async def ended(self) -> None:
        """Wait for its end. The end of its channel tells of it first: seldom anybody waits here for more than one look."""
        while self.alive:  # noqa: ASYNC110 - a child tells by SIGCHLD alone, or by a pidfd, which Linux has since 5.3
            await asyncio.sleep(END_SECONDS)

    async def end(self) -> None:
        """End it, whatever it does. The socket stays open: it may be a channel's by now."""
        self.process.kill()
        await self.ended()
        os.close(self._stack)

    def drop(self) -> None:
        """The same at once, for who has no loop: blocks until it has ended, which takes no time."""
        self.process.kill()
        self.process.wait()
        self.sock.close()
        os.close(self._stack)

    async def discard(self) -> None:
        """End it, and the socket too: it was never given any work."""
        self.sock.close()
        await self.end()


def spawn(account: Account | None = None) -> WorkerProcess:
    """Start a process, which goes on as this user. Raises OSError."""
    stack = os.memfd_create("worker stack", 0)
    mine, theirs = socket.socketpair()
    user = (account.uid, account.gid) if account else (-1, -1)
    try:
        with theirs:
            words = map(str, (theirs.fileno(), stack, *user))
            process = subprocess.Popen(  # noqa: S603 - it is our own file
                # -P: not what lies in the current folder
                [sys.executable, "-P", launch.__file__, *words],
                pass_fds=(theirs.fileno(), stack),
                env=sandbox.environment(os.environ),
            )
    except BaseException:
        mine.close()
        os.close(stack)
        raise
    return WorkerProcess(process, mine, stack)


class Spares:
    """Keeps one process ready, from the first `refill` on.

    account: as whom all of them run; None: as this process does. processes: some that were started ahead; who is taken is taken out.
    """

    def __init__(self, account: Account | None = None, processes: list[WorkerProcess] | tuple[()] = ()) -> None:
        self._account = account
        self._processes = processes
        self._spare: WorkerProcess | None = None
        self._filling: asyncio.Task[None] | None = None
        self._closed = False

    async def take(self) -> WorkerProcess:
        """A process for a worker: one that was started ahead, else the spare, else one that starts now. Raises OSError."""
        while (ready := self._waiting()) is not None:
            if ready.alive:
                return ready
            await ready.discard()
        return spawn(self._account)

    def _waiting(self) -> WorkerProcess | None:
        if self._processes:
            return self._processes.pop()
        spare, self._spare = self._spare, None
        return spare

    def refill(self) -> None:
        """See that there is a spare, soon."""
        if not self._closed and self._filling is None and (self._spare is None or not self._spare.alive):
            self._filling = asyncio.create_task(self._fill(), name="spare worker")

    async def _fill(self) -> None:
        old, self._spare = self._spare, None
        try:
            if old is not None:
                await old.discard()
            self._spare = spawn(self._account)
        except OSError as error:
            log.warning("worker.spare_failed", error=str(error))
        finally:
            self._filling = None

    async def close(self) -> None:
        """End the spare."""
        self._closed = True
        if self._filling is not None:
            await asyncio.wait({self._filling})
        spare, self._spare = self._spare, None
        if spare is not None:
            await spare.discard()
