"""The listening sockets of the workers: one set a worker, all on the same ports (SO_REUSEPORT).

Opens them, or takes those of the Haystack that is replaced. The supervisor keeps them and lends them. Never accepts.
"""

from __future__ import annotations

import socket
from collections.abc import Iterator
from functools import partial

from haystack.net.sockets import EVERYWHERE, Sockets
from haystack.proxy.lending import Descriptor
from haystack.routing.rows import ADMIN, HTTPS, LISTENERS
from haystack.settings import addresses
from haystack.settings.settings import Settings
from haystack.tls import sources

BACKLOG = 4096
Lent = list[tuple[int, Descriptor]]  # each with its listener's index


class Listeners:
    """ports: of the listeners by name, known when they are open."""

    def __init__(self, settings: Settings) -> None:
        self._workers = settings.workers
        bind = tuple(map(str, settings.bind))
        self._wanted = [(name, bind, port) for name, port in zip(LISTENERS, (settings.http_port, settings.http_alt_port), strict=True)]
        if isinstance(settings.admin, str):
            host, port = addresses.place(settings.admin)
            self._wanted.append((ADMIN, (host,), port))
        if sources.wanted(settings):
            self._wanted.append((HTTPS, bind, settings.https_port))
        self.ports: dict[str, int] = {}

    def open(self, opened: Sockets) -> list[Lent]:
        """One set a worker. OSError: a port can't be had; nothing stays open then."""
        try:
            sets = [self._one_set(opened) for _ in range(self._workers)]
        except OSError:
            for name, _, _ in self._wanted:
                opened.close(name)
            raise
        for number, sock in enumerate(self._surplus(opened)):
            sets[number % len(sets)].append(sock)
        return sets

    def _one_set(self, opened: Sockets) -> Lent:
        """One worker's sockets. Where the port is 0, the first one finds it for all."""
        sockets: Lent = []
        for index, (name, bind, port) in enumerate(self._wanted):
            for sock in opened.on_each(bind, partial(self._one, opened, name, port)):
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
        for index, (name, bind, _) in enumerate(self._wanted):
            for address in bind or EVERYWHERE:
                yield from ((index, sock) for sock in opened.surplus(name, address, self.ports[name]))
