"""The listening sockets of the workers: one set a worker, all on the same ports (SO_REUSEPORT).

Opens them, or takes those of the Haystack that is replaced. The supervisor keeps them and lends them. Never accepts.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from functools import partial

from haystack.listening import EVERYWHERE, Sockets
from haystack.proxy.table import LISTENERS
from haystack.settings import Settings

BACKLOG = 4096
Lent = list[tuple[int, socket.socket]]  # each with its listener's index


class Listeners:
    """ports: of the listeners by name, known when they are open."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.ports: dict[str, int] = {}

    def open(self, opened: Sockets) -> list[Lent]:
        """One set a worker. OSError: a port can't be had; nothing stays open then."""
        try:
            sets = [self._one_set(opened) for _ in range(self._settings.workers)]
        except OSError:
            for name in LISTENERS:
                opened.close(name)
            raise
        for number, sock in enumerate(self._surplus(opened)):
            sets[number % len(sets)].append(sock)
        return sets

    def _one_set(self, opened: Sockets) -> Lent:
        """One worker's sockets. Where the port is 0, the first one finds it for all."""
        wanted = (self._settings.http_port, self._settings.http_alt_port)
        sockets = []
        for index, (name, port) in enumerate(zip(LISTENERS, wanted, strict=True)):
            for sock in opened.on_each(self._settings.bind, partial(self._one, opened, name, port)):
                # accepted sockets inherit it: one system call a connection less
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                sockets.append((index, sock))
        return sockets

    def _one(self, opened: Sockets, name: str, port: int, address: str) -> socket.socket:
        sock = opened.tcp(name, address, self.ports.get(name, port), BACKLOG, shared=True)
        self.ports.setdefault(name, sock.getsockname()[1])
        return sock

    def _surplus(self, opened: Sockets) -> Iterator[tuple[int, socket.socket]]:
        """The sockets of more workers than there are now: others see to them, for what waits in their queues."""
        for index, name in enumerate(LISTENERS):
            for address in self._settings.bind or EVERYWHERE:
                yield from ((index, sock) for sock in opened.surplus(name, str(address), self.ports[name]))
