"""Clients that never stop asking while something is done to Haystack, and remember whatever went wrong."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from typing import Self

import dns.message
import dns.query

from tests.fakes.client import Client
from tests.fakes.worker import until


class Load:
    """Threads that ask in a loop until the `with` block ends. done: good answers by kind; wrong: everything else."""

    def __init__(self) -> None:
        self.done: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.slowest = 0.0
        self._stop = threading.Event()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()
        self._asked: list[int] = []

    def http(self, port: int, host: str, body: bytes, *, keep: int, new: int) -> Self:
        """keep: connections that are kept as long as Haystack keeps them; new: loops with a connection a request."""
        for kind, count in (("kept", keep), ("new", new)):
            for _ in range(count):
                asker = Asker(port, host, body, kept=kind == "kept")
                self._add(kind, asker.ask, asker.close)
        return self

    def https(self, connect: Callable[[], Client], host: str, body: bytes, *, keep: int, new: int) -> Self:
        """As http, on connections of the test's own making."""
        for kind, count in (("kept", keep), ("new", new)):
            for _ in range(count):
                asker = Asker(0, host, body, kept=kind == "kept", connect=connect)
                self._add(kind, asker.ask, asker.close)
        return self

    def dns(self, port: int, name: str) -> Self:
        """One loop over UDP and one over TCP, each query sent once."""
        query = dns.message.make_query(name, "A")
        for kind, send in (("udp", dns.query.udp), ("tcp", dns.query.tcp)):
            self._add(kind, lambda s=send: _resolve(s, query, port))
        return self

    def _add(self, kind: str, ask: Callable[[], str], close: Callable[[], None] = lambda: None) -> None:
        number = len(self._asked)
        self._asked.append(0)
        self._threads.append(threading.Thread(target=self._loop, args=(number, kind, ask, close)))

    def _loop(self, number: int, kind: str, ask: Callable[[], str], close: Callable[[], None]) -> None:
        while not self._stop.is_set():
            began = time.monotonic()
            try:
                complaint = ask()
            except (OSError, ValueError, dns.exception.DNSException) as error:
                complaint = repr(error)
            with self._lock:
                self._asked[number] += 1
                self.slowest = max(self.slowest, time.monotonic() - began)
                if complaint:
                    self.wrong.append(f"{kind}: {complaint}")
                else:
                    self.done[kind] += 1
        close()

    def go_on(self, more: int = 6) -> None:
        """Wait until each client was answered so often again, or failed."""
        target = [n + more for n in self._asked]
        until(lambda: all(n >= t for n, t in zip(self._asked, target, strict=True)), 30, "a client got no answer")

    def forgive(self) -> list[str]:
        """What went wrong so far, and what goes wrong with the next request of each: after that it counts anew."""
        self.go_on(2)
        with self._lock:
            wrong, self.wrong = self.wrong, []
        return wrong

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(20)


class Asker:
    """One client of the http listener."""

    def __init__(self, port: int, host: str, body: bytes, *, kept: bool, connect: Callable[[], Client] | None = None) -> None:
        self._connect = connect or (lambda: Client(port))
        self._host, self._body, self._kept = host, body, kept
        self._client: Client | None = None

    def ask(self) -> str:
        """One request; what is wrong with its answer."""
        client, self._client = self._client or self._connect(), None
        try:
            answer = client.get(self._host)
            if self._kept and (answer.get("connection") or "").lower() != "close":
                self._client = client
        finally:
            if self._client is None:
                client.socket.close()
        return "" if (answer.status, answer.body, answer.complete) == (200, self._body, True) else f"{answer.status} {answer.body[:60]!r}"

    def close(self) -> None:
        """Hang up."""
        if self._client is not None:
            self._client.socket.close()


def _resolve(send: Callable[..., dns.message.Message], query: dns.message.Message, port: int) -> str:
    answer = send(query, "127.0.0.1", timeout=5, port=port)
    return "" if answer.answer else f"no answer: {answer.rcode()}"
