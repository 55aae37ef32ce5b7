"""A nameserver in a thread of its own: names below `silent` get no answer until they are let go, all others an address."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from typing import Self

import dns.message
import dns.rrset

SILENT = "silent.example"


class Nameserver:
    """UDP on a free port. asked: how often each name was; came: set as soon as a silent name was asked for.

    address: of all names; silent: the domain of those that get no answer. Both may be changed. at: its own.
    """

    def __init__(self, ttl: int = 3600, address: str = "192.0.2.1", at: str = "127.0.0.1") -> None:
        self.address = address
        self.silent = SILENT
        self.asked: Counter[str] = Counter()
        self.came = threading.Event()
        self._ttl = ttl
        self._held: list[tuple[dns.message.Message, object]] = []
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((at, 0))
        self.at, self.port = at, self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stop:
            stop.sendto(b"", (self.at, self.port))
        self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        while True:
            data, peer = self._socket.recvfrom(4096)
            if not data:
                return
            query = dns.message.from_wire(data)
            name = query.question[0].name.to_text().lower().rstrip(".")
            self.asked[name] += 1
            if name.endswith(self.silent):
                self._held.append((query, peer))
                self.came.set()
            else:
                self._answer(query, peer)

    def _answer(self, query: dns.message.Message, peer: object) -> None:
        made = dns.message.make_response(query)
        made.answer.append(dns.rrset.from_text(query.question[0].name, self._ttl, "IN", "A", self.address))
        self._socket.sendto(made.to_wire(), peer)

    def let_go(self) -> None:
        """Answer what was held back, and hold back nothing but names below SILENT from now on."""
        self.silent = SILENT
        for query, peer in self._held:
            self._answer(query, peer)
