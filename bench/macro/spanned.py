"""Haystack with an access log, and with the spans of some requests for a collector that takes them: what does that cost each request?"""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from bench.macro.peers import HaystackProxy


class Taker(BaseHTTPRequestHandler):
    """A collector that reads what is posted, and says that all is well."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        """Take it."""
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Say nothing."""


class SpannedHaystack(HaystackProxy):
    """HaystackProxy that records such a share of the requests (0 to 1)."""

    def __init__(self, origin: int, share: str, **settings: str) -> None:
        super().__init__(origin, services=2)
        self._collector = ThreadingHTTPServer(("127.0.0.1", 0), Taker)
        self._collector.daemon_threads = True
        self._thread = threading.Thread(target=self._collector.serve_forever, daemon=True)
        sampler = {"OTEL_TRACES_SAMPLER": "parentbased_traceidratio", "OTEL_TRACES_SAMPLER_ARG": share}
        self.settings |= settings | sampler | {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{self._collector.server_port}"}

    def start(self) -> None:
        """Start both."""
        self._thread.start()
        super().start()

    def stop(self) -> None:
        """End both."""
        super().stop()
        self._collector.shutdown()
        self._collector.server_close()
