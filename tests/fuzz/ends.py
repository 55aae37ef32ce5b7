"""What a worker's data plane has around it in a fuzzed script: sockets of clients and endpoints, every byte of both recorded."""

from __future__ import annotations

import socket
import struct
import tempfile
from contextlib import suppress
from pathlib import Path

# a reset instead of an end
AT_ONCE = struct.pack("ii", 1, 0)


class End:
    """Our end of a connection. seen: what came; sent: what the other side was sent; over: it sends no more;
    heard: which of all hearings was its last."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.seen = bytearray()
        self.sent = bytearray()
        self.over = False
        self.heard = 0
        sock.setblocking(False)

    @property
    def there(self) -> bool:
        """Whether we have not closed it."""
        return self.sock.fileno() >= 0

    def send(self, data: bytes) -> None:
        """As much as the socket takes of it, and no more."""
        try:
            size = self.sock.send(data)
        except OSError:
            return
        self.sent += data[:size]

    def receive(self) -> bool:
        """Read what is there; True: something was."""
        before = len(self.seen), self.over
        try:
            while not self.over and self.there:
                data = self.sock.recv(1 << 16)
                self.seen += data
                self.over = not data
        except BlockingIOError:
            pass
        except OSError:
            self.over = True
        return before != (len(self.seen), self.over)

    def half_close(self) -> None:
        with suppress(OSError):  # it may have gone
            self.sock.shutdown(socket.SHUT_WR)

    def reset(self) -> None:
        """Where its kind of socket can: close it with a reset."""
        with suppress(OSError):
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)


def listening(path: str) -> socket.socket:
    """A unix socket that listens."""
    made = socket.socket(socket.AF_UNIX)
    made.bind(path)
    made.listen(64)
    made.setblocking(False)
    return made


def listening_tcp(backlog: int) -> socket.socket:
    """The same on a port of this machine."""
    made = socket.socket()
    made.bind(("127.0.0.1", 0))
    made.listen(backlog)
    made.setblocking(False)
    return made


class Places:
    """Where clients and endpoints meet the worker; made once, for they cost more than an exchange.

    doors: those of the endpoints that we play; addresses: of all endpoints, by their names. `deaf` takes no connection and does not refuse
    one either, as a paused host does; nobody listens at `refusing`.
    """

    def __init__(self) -> None:
        self.folder = tempfile.TemporaryDirectory(prefix="haystack-fuzz-")
        self.front = self._path("front")
        self.listener = listening(self.front)
        deaf = listening_tcp(0)
        self.doors = [listening(self._path("one")), listening(self._path("two")), listening_tcp(64)]
        self.addresses: dict[str, str | tuple[str, int]] = {
            "one": self._path("one"),
            "two": self._path("two"),
            "three": self.doors[2].getsockname(),
            "deaf": deaf.getsockname(),
            "refusing": self._path("refusing"),
        }
        self._others = [deaf, *self._fillers(deaf)]

    def _path(self, name: str) -> str:
        return str(Path(self.folder.name, name))

    @staticmethod
    def _fillers(door: socket.socket) -> list[socket.socket]:
        """Connections that leave no room for another."""
        made = []
        while True:
            made.append(socket.socket())
            made[-1].settimeout(0.1)
            try:
                made[-1].connect(door.getsockname())
            except TimeoutError:
                return made

    def close(self) -> None:
        for sock in (self.listener, *self.doors, *self._others):
            sock.close()
        self.folder.cleanup()
