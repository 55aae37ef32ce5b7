"""Bounds of an engine's answer: until when it has to be there, from its first octet to its last, and how long it may be.

`requests` bounds each read, so that an answer which trickles never ends. Here each read of a socket goes through the Call that it is for:
head and body, over TCP, TLS and Unix sockets, and so over SSH too. Another thread can end a call. Never does: knowing what is asked.
"""

from __future__ import annotations

import io
import math
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from typing import Any

from docker.transport import UnixHTTPAdapter
from docker.transport.unixconn import UnixHTTPConnectionPool
from requests import Session
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection

from haystack.net.https_adapter import HttpsConnection

KEPT = 32  # connections that wait for the next question, at most: more than there are threads that ask
ONE = "engine"  # the pool of a Unix socket: Docker's own adapter has one for each URL

_here = threading.local()


class TooLongError(Exception):
    """An answer is longer than it may be; the text is one line."""


class Call:
    """One question. seconds: for all of the answer; most: octets of it, framing included; silence: seconds without any octet."""

    def __init__(self, seconds: float, most: int, silence: float = math.inf) -> None:
        self.patience = min(seconds, silence)  # for a connection to be made
        self._until = time.monotonic() + seconds
        self._silence = silence
        self._most = most
        self._left: float = most
        self._socket: socket.socket | None = None
        self._ended = False

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Answers to what this thread asks meanwhile are this call's."""
        self._check()
        _here.call = self
        try:
            yield
        finally:
            _here.call = None

    def take(self, sock: socket.socket) -> None:
        """The answer comes from there."""
        self._socket = sock

    def let_run(self) -> None:
        """From now on it may take for ever."""
        self._until = self._silence = self._left = math.inf

    def end(self) -> None:
        """End it, from any thread: whoever reads gets an error, or an answer that breaks off."""
        self._ended = True
        if self._socket is not None:
            try:
                socket.socket.shutdown(self._socket, socket.SHUT_RDWR)  # and not that of TLS, which pulls its state from under the reader
            except OSError:
                return  # it has ended by itself

    def wait(self, sock: socket.socket) -> None:
        """Before a read: let it wait for as long as may be. Raises TimeoutError: no longer at all."""
        self._check()
        left = min(self._silence, self._until - time.monotonic())
        if left <= 0:
            raise TimeoutError("timed out")
        sock.settimeout(None if left == math.inf else left)

    def count(self, octets: int) -> None:
        """After a read. Raises TooLongError."""
        self._left -= octets
        if self._left < 0:
            raise TooLongError(f"the engine's answer is longer than {_size(self._most)}")

    def _check(self) -> None:
        if self._ended:
            raise ConnectionAbortedError("it was ended here")


def _size(octets: int) -> str:
    return f"{octets >> 20} MiB" if octets >= 1 << 20 else f"{octets} bytes"


class _Reader(io.RawIOBase):
    """A socket's octets, each read of which counts for a call."""

    def __init__(self, raw: io.RawIOBase, sock: socket.socket, call: Call) -> None:
        self._raw, self._sock, self._call = raw, sock, call

    def readable(self) -> bool:
        """As it is."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Octets that are there, or come in time."""
        self._call.wait(self._sock)
        count = self._raw.readinto(buffer)
        self._call.count(count or 0)
        return count

    def close(self) -> None:
        """Let go of the socket."""
        self._raw.close()
        super().close()


class _Reply(HTTPResponse):
    """An answer, read as its call allows."""

    def __init__(self, sock: socket.socket, *args: Any, **named: Any) -> None:
        super().__init__(sock, *args, **named)
        call: Call | None = getattr(_here, "call", None)
        if call is not None:
            raw: io.RawIOBase = self.fp.detach()
            self.fp = io.BufferedReader(_Reader(raw, sock, call))
            call.take(sock)


class _Plain(HTTPConnection):
    response_class = _Reply


class _Sealed(HttpsConnection):
    response_class = _Reply


class _PlainPool(HTTPConnectionPool):
    ConnectionCls = _Plain


class _SealedPool(HTTPSConnectionPool):
    ConnectionCls = _Sealed


class _LocalPool(UnixHTTPConnectionPool):  # type: ignore[misc]  # the package is untyped
    def _new_conn(self) -> Any:
        made = super()._new_conn()
        made.response_class = _Reply
        return made


class _LocalAdapter(UnixHTTPAdapter):  # type: ignore[misc]  # the package is untyped
    def get_connection(self, _url: Any, _proxies: Any = None) -> Any:
        """The one pool."""
        with self.pools.lock:
            pool = self.pools.get(ONE)
            if pool is None:
                pool = self.pools[ONE] = _LocalPool(ONE, self.socket_path, self.timeout, maxsize=KEPT)
            return pool


def bind(session: Session) -> None:
    """Have all that this session of `docker` or `requests` asks within Call.asking() be bounded."""
    for prefix, adapter in tuple(session.adapters.items()):
        if isinstance(adapter, UnixHTTPAdapter):
            session.mount(prefix, _LocalAdapter(f"http+unix://{adapter.socket_path}", adapter.timeout))
            adapter.close()
        elif isinstance(adapter, HTTPAdapter):
            manager = adapter.poolmanager
            manager.pool_classes_by_scheme = {"http": _PlainPool, "https": _SealedPool}
            manager.connection_pool_kw["maxsize"] = KEPT
            # urllib3 drops a pool and leaves its connections to the garbage collector; an error that is still held keeps them open
            manager.pools.dispose_func = HTTPConnectionPool.close
