"""The Haystack that is to be replaced, as the new one sees it: asked for its sockets before anything starts, told to drain when all runs.

Believes nothing: another user's socket, words of another program and sockets that don't listen end the start, and the old one serves on.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
from contextlib import ExitStack
from pathlib import Path

from haystack import __version__
from haystack.handover import control_socket, proof, protocol
from haystack.model.services import Override
from haystack.net.sockets import Held
from haystack.proxy import account

PATIENCE = 5.0
_FAMILIES = (socket.AF_INET, socket.AF_INET6)


class ReplaceError(Exception):
    """The old one could not be replaced, and serves on. str() is one line: why."""


class Predecessor:
    """One that runs and has handed over `sockets`, copies of its own. Close it, or release it.

    overrides: what operators have told it and holds; None: it does not know of such.
    """

    def __init__(
        self, peer: socket.socket, offer: protocol.Offer, sockets: list[Held], overrides: tuple[Override, ...] | None = None
    ) -> None:
        self.pid, self.version = offer.pid, offer.version
        self.home, self.left, self.instance = offer.home, offer.left, offer.instance
        self.ticket_keys, self.ticket_age = offer.ticket_keys, offer.ticket_age
        self.sockets, self.overrides = sockets, overrides
        self._peer = peer

    def release(self) -> bool:
        """Have it drain and end; False: it has gone already. Blocks for seconds at most. Raises ReplaceError: it serves on for certain."""
        try:
            protocol.send(self._peer, protocol.Release())
            message, sockets = self._last_word()
        except TimeoutError:
            raise ReplaceError(f"process {self.pid}, which is to be replaced, does not answer") from None
        except (OSError, protocol.ProtocolError):
            return False  # who is dead holds nothing: the sockets are ours
        finally:
            self._peer.close()
        _close(sockets)
        return isinstance(message, protocol.Released)

    def _last_word(self) -> tuple[protocol.Any, list[socket.socket]]:
        """Its answer to Release. Raises as protocol.receive; TimeoutError: it has not said Released, and can't any more."""
        try:
            return protocol.receive(self._peer)
        except TimeoutError:
            self._peer.shutdown(socket.SHUT_RD)
            try:
                return protocol.receive(self._peer)
            except (OSError, protocol.ProtocolError):
                raise TimeoutError from None

    def close(self) -> None:
        """Let it serve on."""
        self._peer.close()


class Successor:
    """One that serves, and has replaced who asked a moment ago. Close it, or wait for its end."""

    def __init__(self, peer: socket.socket, wait: protocol.Wait) -> None:
        self.pid, self.version = wait.pid, wait.version
        self._peer = peer
        peer.setblocking(False)

    async def end(self) -> None:
        """Wait until it ends, or is replaced."""
        with self._peer, contextlib.suppress(OSError):
            while await asyncio.get_running_loop().sock_recv(self._peer, protocol.LARGEST):
                pass


def ask(folder: Path, home: str = "", *, waits: bool = False) -> Predecessor | Successor | None:
    """The Haystack that runs with this state folder; None: none does. Blocks for seconds at most. Raises ReplaceError.

    home: where this one lives; waits: it does not want to replace anybody.
    """
    question = protocol.Ask(protocol.PROTOCOL, __version__, os.getpid(), home, waits, orders=True)
    for path in control_socket.places(folder):
        if control_socket.is_believed(path, folder, _friends()) and (found := _asked_at(path, question)):
            return found
    return None


def _asked_at(path: Path, question: protocol.Ask) -> Predecessor | Successor | None:
    """The Haystack that listens there; None: none does. Raises ReplaceError."""
    with ExitStack() as bad:
        peer = bad.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
        peer.settimeout(PATIENCE)
        try:
            peer.connect(str(path))
            old = _asked(peer, question, path.parent)
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        except TimeoutError:
            raise ReplaceError(f"what listens at {path} does not answer") from None
        except PermissionError:
            raise ReplaceError(control_socket.denied(path)) from None
        except OSError as error:
            raise ReplaceError(f"can't ask at {path}: {error.strerror or error}") from error
        except protocol.ProtocolError as error:
            raise ReplaceError(f"what listens at {path} is no Haystack that can be replaced: {error}") from error
        bad.pop_all()
    return old


def _friends() -> set[int]:
    """The users that are believed."""
    other = account.own()  # as whom one goes on that was started as root
    return {0, os.geteuid(), *([other.uid] if other else [])}


def _asked(peer: socket.socket, ask: protocol.Ask, folder: Path) -> Predecessor | Successor:
    if not protocol.trusted(peer, _friends()):
        raise protocol.ProtocolError("it belongs to another user")
    proof.send(peer, protocol.encoded(ask), folder)
    offer, strays = protocol.receive(peer)
    _close(strays)
    if isinstance(offer, protocol.Refusal):
        raise ReplaceError(f"the running Haystack can't be replaced now: {offer.reason}")
    if isinstance(offer, protocol.Wait):
        return Successor(peer, offer)
    if not isinstance(offer, protocol.Offer):
        raise protocol.ProtocolError(f"it said {type(offer).__name__}")
    if offer.protocol != protocol.PROTOCOL:
        raise ReplaceError(
            f"the running Haystack (process {offer.pid}, version {offer.version}) uses another protocol: stop it, then start this one"
        )
    if protocol.is_first(peer):
        raise ReplaceError("the running Haystack is the first process of this container, which ends with it: replace it from another one")
    sockets = _given(peer, offer.sockets)
    try:
        return Predecessor(peer, offer, sockets, _told(peer, offer.orders))
    except BaseException:
        _close([each.sock for each in sockets])
        raise


def _told(peer: socket.socket, count: int | None) -> tuple[Override, ...] | None:
    """The overrides of so many messages."""
    if count is None:
        return None
    found: list[Override] = []
    for _ in range(count):
        orders, strays = protocol.receive(peer)
        _close(strays)
        if not isinstance(orders, protocol.Orders):
            raise protocol.ProtocolError("it did not tell the overrides that it offered")
        found += orders.overrides
    return tuple(found)


def _given(peer: socket.socket, count: int) -> list[Held]:
    """As many sockets as were offered, each of which listens."""
    held: list[Held] = []
    with ExitStack() as bad:
        while len(held) < count:
            batch, sockets = protocol.receive(peer)
            for sock in sockets:
                bad.callback(sock.close)
            if not isinstance(batch, protocol.Batch) or not sockets or len(batch.names) != len(sockets):
                raise protocol.ProtocolError("it did not hand over what it offered")
            held += [Held(name, sock) for name, sock in zip(batch.names, sockets, strict=True)]
        if not all(_listens(each.sock) for each in held):
            raise protocol.ProtocolError("it handed over a socket that does not listen")
        bad.pop_all()
    return held


def _listens(sock: socket.socket) -> bool:
    """Whether clients can come there: a bound socket for datagrams, or one that listens."""
    if sock.type == socket.SOCK_DGRAM:
        return sock.family in _FAMILIES and sock.getsockname()[1] != 0
    return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)) and sock.family in (*_FAMILIES, socket.AF_UNIX)


def _close(sockets: list[socket.socket]) -> None:
    for sock in sockets:
        sock.close()
