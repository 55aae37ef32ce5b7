"""python -m bench.tls.handshakes PORT CA SECONDS full|resumed: handshakes of TLS 1.3, several at a time, each with one request.

Neither wrk nor h2load can be told to resume, or not to. This one knows of each connection whether it was resumed, and fails where that is
not what it should be. It prints JSON: done, took (seconds) and the times of the connections (ms). One thread, with Python's ssl.
"""

from __future__ import annotations

import json
import selectors
import socket
import ssl
import statistics
import sys
import time
from collections.abc import Callable, Generator
from functools import partial
from pathlib import Path

from bench.macro.origin import BODY
from bench.tls.certificate import HOST
from bench.tls.client import Client, trusting

AT_ONCE = 16
READ, WRITE = selectors.EVENT_READ, selectors.EVENT_WRITE
REQUEST = f"GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode()
Waiting = Generator[int, None, None]


class Handshakes:
    """Connections to a port, AT_ONCE at a time. session: the one that each resumes; None: each is a full handshake."""

    def __init__(self, port: int, context: ssl.SSLContext, session: ssl.SSLSession | None) -> None:
        self.port, self.context, self.session = port, context, session
        self.selector = selectors.DefaultSelector()
        self.times: list[float] = []

    def run(self, seconds: float) -> float:
        """Connect again and again for so long; how long it took until the last one had its answer."""
        began = time.monotonic()
        try:
            for _ in range(AT_ONCE):
                self.begin()
            while self.selector.get_map():
                for key, _ in self.selector.select():
                    if not self.go_on(key.data) and time.monotonic() < began + seconds:
                        self.begin()
        finally:
            for key in self.selector.get_map().values():
                key.data[0].close()
            self.selector.close()
        return time.monotonic() - began

    def begin(self) -> None:
        """One more connection."""
        began = time.monotonic()
        plain = socket.create_connection(("127.0.0.1", self.port), 10)
        plain.setblocking(False)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        secure = self.context.wrap_socket(plain, server_hostname=HOST, do_handshake_on_connect=False, session=self.session)
        self.selector.register(secure, WRITE, (secure, self.exchange(secure, began)))

    def go_on(self, data: tuple[ssl.SSLSocket, Waiting]) -> bool:
        """Its socket is ready. Whether it has more to do."""
        secure, waits = data
        try:
            self.selector.modify(secure, next(waits), data)
        except StopIteration:
            self.selector.unregister(secure)
            secure.close()
            return False
        return True

    def exchange(self, secure: ssl.SSLSocket, began: float) -> Waiting:
        """Handshake, request, answer, end: yields what it waits for. Raises RuntimeError where anything is not as it should be."""
        yield from waited(secure.do_handshake)
        if secure.session_reused is not (self.session is not None):
            raise RuntimeError(f"a handshake was {'resumed' if secure.session_reused else 'not resumed'}")
        secure.send(REQUEST)
        found = b""
        while not found.endswith(BODY.encode()):
            part: list[bytes] = []
            yield from waited(partial(received, secure, part))
            if not part[0]:
                raise RuntimeError(f"not the origin's body: {found!r}")
            found += part[0]
        self.times.append(time.monotonic() - began)


def received(secure: ssl.SSLSocket, part: list[bytes]) -> None:
    """What has come."""
    part.append(secure.recv(16384))


def waited(step: Callable[[], object]) -> Waiting:
    """Do that as soon as the socket lets it."""
    while True:
        try:
            step()
        except ssl.SSLWantReadError:
            yield READ
        except ssl.SSLWantWriteError:
            yield WRITE
        else:
            return


def ticket(port: int, ca: Path, context: ssl.SSLContext) -> ssl.SSLSession:
    """A session to resume: its ticket comes behind the handshake, with the answer."""
    client = Client(port, ca, context)
    with client:
        client.get("/")
        session = client.socket.session
    if session is None or not session.has_ticket:
        raise RuntimeError("the server gave no ticket")
    return session


def main() -> None:
    """Connect for so many seconds, and print what came of it."""
    port, ca, seconds, kind = int(sys.argv[1]), Path(sys.argv[2]), float(sys.argv[3]), sys.argv[4]
    context = trusting(ca, "http/1.1")
    made = Handshakes(port, context, ticket(port, ca, context) if kind == "resumed" else None)
    took = made.run(seconds)
    ms = statistics.quantiles(made.times, n=100)
    print(json.dumps({"done": len(made.times), "took": took, "p50_ms": ms[49] * 1000, "p99_ms": ms[98] * 1000}))


if __name__ == "__main__":
    main()
