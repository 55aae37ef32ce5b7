"""The control socket of the Haystack that runs: there it hands its sockets to one that replaces it, and is told to drain.

One replacement at a time. Whatever goes wrong before the last word, this one serves on as if nobody had asked. Only the same user
and root are heard, and a worker, which may be of the same user, hears no more than how this one is (`haystack healthcheck`): who wants to
replace has to show that it may read the socket's folder (proof.py). Runs on the control process's loop.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import socket
from collections.abc import Callable, Coroutine, Iterable
from pathlib import Path
from typing import Any

import structlog

from haystack import __version__
from haystack.handover import control_socket, proof, protocol
from haystack.handover.identity import Memory
from haystack.model.services import Override
from haystack.net.sockets import Held, Sockets

CONTROL = "control"
BACKLOG = 8
PATIENCE = 5.0
UNPROVEN = "who asks does not show that it may read the control socket's folder, as older versions don't: stop this one, then start that"
PAUSE = 1.0  # seconds before the next try, where a connection can't be accepted
log = structlog.get_logger("haystack.handover")


class Giver:
    """folder: where the control socket is; sockets: what is handed over; on_release: called once, when another one serves.

    memory: of who was replaced of late, and does not take over again; instance, tickets (keys, age): as in Offer; health: how this one is;
    overrides: those that hold, which are not to change while it is `busy`: the other has been told of them.
    """

    def __init__(
        self,
        folder: Path,
        sockets: Sockets,
        on_release: Callable[[], None],
        memory: Memory,
        instance: str = "",
        health: Callable[[], protocol.Report] = lambda: protocol.Report((), ""),
        overrides: Callable[[], Iterable[Override]] = tuple,
        tickets: Callable[[], tuple[tuple[bytes, ...], float]] = lambda: ((), 0.0),
    ) -> None:
        self.released = False
        self._memory = memory
        self._instance = instance
        self._health = health
        self._overrides = overrides
        self._tickets = tickets
        self._path = control_socket.control(folder)
        self._sockets = sockets
        self._on_release = on_release
        self._listener = sockets.taken(CONTROL)
        self._acceptor: asyncio.Task[None] | None = None
        self.busy = False
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Listen. Where that can't be, the log says so: everything else works without."""
        try:
            self._listener = await asyncio.to_thread(self._open)
        except OSError as error:
            log.warning("handover.disabled", error=error.strerror or str(error), path=str(self._path))
            return
        self._acceptor = self._spawn(self._accept(self._listener))

    def _open(self) -> socket.socket:
        """The one that was handed over, where its name is still there; else one of our own."""
        if self._listener is not None:
            if self._path.exists():
                return self._listener
            self._listener.close()
        control_socket.make(self._path.parent)
        folder = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(folder, fcntl.LOCK_EX)  # two that start at once must not both find it abandoned
            if answers(self._path):
                raise OSError("another Haystack runs with this state folder")
            self._path.unlink(missing_ok=True)
            return self._sockets.keep(CONTROL, self._bound())
        finally:
            os.close(folder)

    def _bound(self) -> socket.socket:
        sock = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        try:
            sock.bind(str(self._path))
            self._path.chmod(0o600)  # before anybody can connect
            sock.listen(BACKLOG)
        except OSError:
            sock.close()
            raise
        return sock

    async def close(self) -> None:
        """Hear nobody any more. The name goes too, unless it is another one's by now."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._listener is not None:
            if not self.released:
                self._path.unlink(missing_ok=True)
            self._listener.close()
            self._listener = None

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _accept(self, listener: socket.socket) -> None:
        """Whoever connects, until one was given everything: who waits behind it is the new one's."""
        loop = asyncio.get_running_loop()
        while True:
            try:
                peer, _ = await loop.sock_accept(listener)
            except OSError as error:  # no file descriptor is left: one that wants to take over waits in the queue
                log.warning("handover.unheard", error=error.strerror or str(error))
                await asyncio.sleep(PAUSE)
            else:
                self._spawn(self._serve(peer))

    async def _serve(self, peer: socket.socket) -> None:
        """One that wants to take over."""
        with peer:
            peer.setblocking(False)
            try:
                ask, proven = await _asked(peer, self._path.parent)
                if isinstance(ask, protocol.Health):
                    protocol.send(peer, self._health())
                else:
                    await self._answer(peer, ask, proven=proven)
            except (OSError, TimeoutError, protocol.ProtocolError) as error:
                log.warning("handover.failed", error=str(error) or type(error).__name__)

    async def _answer(self, peer: socket.socket, ask: protocol.Ask, *, proven: bool) -> None:
        if ask.waits or self._memory.lately(ask.home):
            await self._keep_waiting(peer)
            return
        if not proven:
            log.warning("handover.failed", error=f"process {ask.pid} does not show that it may read {self._path.parent}")
            protocol.send(peer, protocol.Refusal(UNPROVEN))
            return
        if self.busy or self.released:
            protocol.send(peer, protocol.Refusal("another replacement is in progress"))
            return
        self.busy = True
        try:
            log.info("handover.started", to=ask.pid, version=ask.version)
            if ask.protocol == protocol.PROTOCOL:
                await self._give(peer, self._sockets.held(), tuple(self._overrides()) if ask.orders else None)
            else:
                await self._give(peer, [], None)
            last = await _heard(peer)
            if not isinstance(last, protocol.Release):
                raise protocol.ProtocolError(f"it said {type(last).__name__}")
            self._release(peer, ask)
        finally:
            self.busy = self.released

    async def _keep_waiting(self, peer: socket.socket) -> None:
        """Have it wait until it goes, or this one does."""
        protocol.send(peer, protocol.Wait(__version__, os.getpid()))
        with contextlib.suppress(protocol.ProtocolError, OSError):
            await _heard(peer)

    async def _give(self, peer: socket.socket, held: list[Held], overrides: tuple[Override, ...] | None) -> None:
        told, own = self._memory.told(), self._memory.own
        some = overrides or ()
        orders = [protocol.Orders(some[at : at + protocol.ORDERS]) for at in range(0, len(some), protocol.ORDERS)]
        count = len(orders) if overrides is not None else None
        ours = own, told, self._instance, count, *self._tickets()
        protocol.send(peer, protocol.Offer(protocol.PROTOCOL, __version__, os.getpid(), len(held), *ours))
        for start in range(0, len(held), protocol.AT_ONCE):
            batch = held[start : start + protocol.AT_ONCE]
            protocol.send(peer, protocol.Batch(tuple(each.name for each in batch)), batch)
        for each in orders:
            await asyncio.get_running_loop().sock_sendall(peer, protocol.encoded(each))
            await asyncio.sleep(0)  # there may be thousands

    def _release(self, peer: socket.socket, ask: protocol.Ask) -> None:
        """The last word, in an order that protocol.py explains. Raises ConnectionError: the other one has given up."""
        try:
            protocol.send(peer, protocol.Released())
        except ConnectionError:
            raise
        except OSError as error:  # it sees the connection end without a word, takes this one for dead, and serves
            log.warning("handover.untold", error=error.strerror or str(error))
        self.released = True
        log.info("haystack.replaced", by=ask.pid, version=ask.version)
        if self._acceptor is not None:
            self._acceptor.cancel()
        self._on_release()


async def _asked(peer: socket.socket, folder: Path) -> tuple[protocol.Ask | protocol.Health, bool]:
    """What it wants, and whether it has shown that it may read the folder. Raises ProtocolError, TimeoutError, OSError."""
    if not protocol.trusted(peer):
        raise protocol.ProtocolError("it belongs to another user")
    async with asyncio.timeout(PATIENCE):
        await _readable(peer)
    data, flags, proven = proof.received(peer, folder, protocol.LARGEST)
    ask = protocol.decoded(data, flags)
    if not isinstance(ask, protocol.Ask | protocol.Health):
        raise protocol.ProtocolError(f"it said {type(ask).__name__}")
    return ask, proven


async def _readable(peer: socket.socket) -> None:
    """Wait for the next packet, or the end."""
    loop, come = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(peer, come.set)
    try:
        await come.wait()
    finally:
        loop.remove_reader(peer)


async def _heard(peer: socket.socket) -> protocol.Any:
    return protocol.decoded(await asyncio.get_running_loop().sock_recv(peer, protocol.LARGEST))


def answers(path: Path) -> bool:
    """Whether anybody listens there. Raises OSError where that can't be told."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as trial:
        trial.settimeout(PATIENCE)
        try:
            trial.connect(str(path))
        except (FileNotFoundError, ConnectionRefusedError):
            return False
    return True
