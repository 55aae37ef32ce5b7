"""A collector for tests: an HTTP server that decodes what OTLP's exporter posts (opentelemetry-proto), and answers as the test says."""

from __future__ import annotations

import gzip
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

LIMIT = 20.0


class Collector:
    """spans: what has come, oldest first; resource: attributes of the last one's; requests: fields of each POST; status: of its answers."""

    def __init__(self, port: int = 0) -> None:
        self.spans: list[Any] = []
        self.resource: dict[str, Any] = {}
        self.requests: list[dict[str, str]] = []
        self.status = 200
        self._news = threading.Condition()
        collector = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = collector._take(self.path, dict(self.headers), body)
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        return self._server.server_port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def _take(self, path: str, fields: dict[str, str], body: bytes) -> int:
        if fields.get("Content-Encoding") == "gzip":
            body = gzip.decompress(body)
        told = ExportTraceServiceRequest.FromString(body)
        with self._news:
            self.requests.append({"path": path} | fields)
            if self.status == 200:
                for each in told.resource_spans:
                    self.resource = attributes(each.resource)
                    self.spans += [span for scope in each.scope_spans for span in scope.spans]
            self._news.notify_all()
        return self.status

    def wait(self, count: int, limit: float = LIMIT) -> list[Any]:
        """The spans, once there are so many."""
        with self._news:
            assert self._news.wait_for(lambda: len(self.spans) >= count, limit), f"{len(self.spans)} spans of {count}"
            return list(self.spans)

    def asked(self, count: int, limit: float = LIMIT) -> None:
        """Wait until so many POSTs have come."""
        with self._news:
            assert self._news.wait_for(lambda: len(self.requests) >= count, limit), f"{len(self.requests)} requests of {count}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def attributes(of: Any) -> dict[str, Any]:
    """Of a span or a resource, as Python has them."""
    return {each.key: value(each.value) for each in of.attributes}


def value(given: Any) -> Any:
    kind = given.WhichOneof("value")
    if kind == "array_value":
        return [value(each) for each in given.array_value.values]
    return getattr(given, kind)
