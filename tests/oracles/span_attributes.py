"""What the spans of an exchange say, in the words of OpenTelemetry's semantic conventions for HTTP: what haystack/_fast/log/otlp_span.pyx
writes, plainly.

https://opentelemetry.io/docs/specs/semconv/http/http-spans/ (stable). What they have no word for is below `haystack`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from haystack.model.records import SEALED
from haystack.model.reports import Trace

Value = str | int | bool | list[str]
METHODS = frozenset({"CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "TRACE", "QUERY"})
OTHER = "_OTHER"
CLIENT_ERRORS, SERVER_ERRORS = 400, 500
HTTP, HTTPS = "http", "https"  # schemes; the listener of the latter is called so, too
PORTS = {HTTP: 80, HTTPS: 443}
HTTP2 = ("h2c", "h2")  # protocols of endpoints that are HTTP/2
# parameters that let in whoever has them, as signed URLs of cloud stores have: the conventions name these
_SECRETS = re.compile(r"(?<![^?&])(AWSAccessKeyId|Signature|sig|X-Goog-Signature)=[^&]*")


class Span(NamedTuple):
    """An exchange whose spans are recorded, in the trace of trace_id, with ids of 16 hexadecimal digits.

    server: its own span; caller: the span of whoever asked, or empty; client: the span of what was asked of an endpoint.
    """

    trace: Trace
    server: str
    caller: str = ""
    client: str = ""


class Told(NamedTuple):
    """One span: its name, its ids (hexadecimal digits), its times (nanoseconds of Unix time), attributes, and whether it is an error."""

    name: str
    span_id: str
    parent: str
    remote: bool
    begun: int
    ended: int
    attributes: Mapping[str, Value]
    failed: bool


def server(span: Span) -> Told:
    """The span of the request itself. An error is what is the server's: 5xx, or no answer."""
    trace = span.trace
    host, port = place(trace.host)
    scheme = HTTPS if trace.listener.partition(":")[0] == HTTPS else HTTP
    path, _, query = origin_form(trace.target).partition("?")
    said: dict[str, Value | None] = {
        **_request(trace),
        "url.scheme": scheme,
        "url.path": path,
        "url.query": redacted(query),
        "server.address": host,
        "server.port": port or PORTS[scheme],
        "client.address": trace.client,
        "network.peer.address": trace.client,
        "network.protocol.version": trace.version,
        "user_agent.original": trace.user_agent,
        "tls.client.subject": trace.client_subject,
        "http.request.header.x-request-id": [trace.request_id] if trace.request_id else None,
        "haystack.service": trace.service,
        "haystack.listener": trace.listener,
        "haystack.candidates": list(trace.candidates),
        "haystack.error": trace.error,
        "haystack.detail": trace.detail,
    }
    begun, ended = times(trace)
    failed = trace.status >= SERVER_ERRORS or trace.status == 0
    return Told(_name(trace), span.server, span.caller, True, begun, ended, _there(said, trace, failed=failed), failed)


def client(span: Span) -> Told:
    """The span of what was asked of an endpoint, the last one where several were tried: until its answer had gone down."""
    trace = span.trace
    asked = trace.endpoint or trace.candidates[-1]
    host, port = place(asked)
    scheme = HTTPS if trace.protocol in SEALED else HTTP
    said: dict[str, Value | None] = {
        **_request(trace),
        "url.full": f"{scheme}://{asked}{redacted(origin_form(trace.target))}",
        "server.address": host,
        "server.port": port or PORTS[scheme],
        "network.peer.address": host,
        "network.peer.port": port or PORTS[scheme],
        "network.protocol.version": "2" if trace.protocol in HTTP2 else "1.1",
        "http.request.resend_count": len(trace.candidates) - 1,
        "haystack.reused": trace.reused,
    }
    begun, ended = times(trace)
    begun += max(0, round(trace.route_ms * 1e6))
    failed = trace.status >= CLIENT_ERRORS or trace.status == 0
    return Told(_name(trace), span.client, span.server, False, min(begun, ended), ended, _there(said, trace, failed=failed), failed)


def times(trace: Trace) -> tuple[int, int]:
    """When it began and ended."""
    ended = round(trace.time * 1e6) * 1000
    return ended - max(0, round(trace.total_ms * 1e6)), ended


def place(text: str) -> tuple[str, int]:
    """Address and port of ``HOST:PORT`` or ``[IPV6]:PORT``; 0: none is told."""
    host, colon, port = text.rpartition(":")
    if not colon or not re.fullmatch(r"[0-9]{1,5}", port):
        return text.strip("[]"), 0
    return host.strip("[]"), int(port)


def origin_form(target: str) -> str:
    """Path and query of a target, also of an absolute one (RFC 9112, section 3.2)."""
    if target.startswith("/"):
        return target
    found = re.match(r"https?://[^/?]*", target, re.IGNORECASE)
    rest = target[found.end() :] if found else target
    return rest if rest.startswith("/") or not found else f"/{rest}"


def redacted(query: str) -> str:
    """Without the values of parameters that are keys."""
    return _SECRETS.sub(r"\1=REDACTED", query) if "=" in query else query


def _name(trace: Trace) -> str:
    """There is no route of few values here, so it is the method alone."""
    return trace.method if trace.method in METHODS else "HTTP"


def _request(trace: Trace) -> dict[str, Value | None]:
    known = trace.method in METHODS
    return {
        "http.request.method": trace.method if known else OTHER,
        "http.request.method_original": None if known else trace.method,
        "http.request.body.size": trace.received,
        "http.response.body.size": trace.sent,
        "http.response.status_code": trace.status,
    }


def _there(said: Mapping[str, Value | None], trace: Trace, *, failed: bool) -> dict[str, Value]:
    """What is known of it, with the type of the error where it is one."""
    found = {name: value for name, value in said.items() if value}
    if failed:
        found["error.type"] = trace.error or str(trace.status)
    return found
