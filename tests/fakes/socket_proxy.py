"""A socket proxy for tests: lets GETs of a few kinds through to an engine, refuses everything else, and remembers what was asked.

The kinds are those that docs/engine-api.md lists. upstream: as in DOCKER_HOST, a unix socket or plain TCP.
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterable
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPException
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

PAGE = Path(__file__).resolve().parents[2] / "docs" / "engine-api.md"
KINDS = ("containers", "networks", "events", "info", "version", "images", "_ping")
OF_MANAGERS = ("services", "nodes", "tasks")  # what a Swarm needs besides
VERSION = re.compile(r"^/v[0-9.]+(?=/)")


class _Unix(HTTPConnection):
    def __init__(self, path: str) -> None:
        super().__init__("localhost")
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


def listed(of: str = "") -> set[str]:
    """The calls of a section of the page, by words of its title, as patterns of paths without a version; of none: of its first one."""
    first, *others = re.split(r"^## ", PAGE.read_text(), flags=re.MULTILINE)
    section = next(each for each in others if of in each.partition("\n")[0]) if of else first
    rows = re.findall(r"^\| `GET (/[^`?]*)", section, re.MULTILINE)
    return {re.sub(r"[A-Z]+", "[^/]+(/[^/]+)*", row) for row in rows}


class SocketProxy:
    """One that listens on an address of this machine. asked: (method, path without version and query, whether it was let through)."""

    def __init__(self, upstream: str, kinds: Iterable[str] = KINDS, address: str = "127.0.0.1") -> None:
        self.upstream = upstream
        self._let_through = re.compile(rf"(/v[0-9.]+)?/({'|'.join(kinds)})(/|\?|$)")
        self.asked: list[tuple[str, str, bool]] = []
        proxy = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

            def __getattr__(self, name: str) -> Any:
                if name.startswith("do_"):
                    return lambda: proxy.serve(self)
                raise AttributeError(name)

        self._server = ThreadingHTTPServer((address, 0), Handler)
        self._server.daemon_threads = True
        self.host = f"tcp://{address}:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    @property
    def refused(self) -> list[tuple[str, str]]:
        """What was not let through."""
        return [(method, path) for method, path, through in self.asked if not through]

    def _connect(self) -> HTTPConnection:
        url = urlsplit(self.upstream)
        return _Unix(url.path) if url.scheme == "unix" else HTTPConnection(url.netloc)

    def serve(self, request: BaseHTTPRequestHandler) -> None:
        """Pass one request on, or refuse it; an answer comes as it goes, however long it takes."""
        through = request.command == "GET" and bool(self._let_through.match(request.path))
        self.asked.append((request.command, VERSION.sub("", urlsplit(request.path).path), through))
        if not through:
            request.send_error(403)
            return
        with closing(self._connect()) as far, suppress(OSError, HTTPException):  # either side may go at any time
            far.request("GET", request.path, headers={"Host": "docker"})
            answer = far.getresponse()
            request.send_response(answer.status)
            for name in ("Content-Type", "Api-Version", "Docker-Experimental", "Ostype"):
                if name in answer.headers:
                    request.send_header(name, answer.headers[name])
            request.send_header("Connection", "close")
            request.end_headers()
            request.close_connection = True
            while data := answer.read1(65536):
                request.wfile.write(data)
