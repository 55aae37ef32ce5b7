"""Spans as OpenTelemetry's SDK has them, and its exporter, which sends them to a collector by OTLP over HTTP (http/protobuf).

Imported by the exporter's thread alone (span_exporter.py). Its variables (OTEL_EXPORTER_OTLP_HEADERS, _CERTIFICATE, _TIMEOUT …) are the
SDK's to read. What it logs of a collector that fails is kept for the one line that Haystack writes.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export import SpanExportResult
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from haystack import __version__
from haystack.model.reports import Span
from haystack.observe import span_attributes
from haystack.observe.safe_text import printable
from haystack.settings.parsers import masked

SAMPLED = TraceFlags(TraceFlags.SAMPLED)
SCOPE = InstrumentationScope("haystack", __version__)
ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")
LONGEST = 300  # characters of an error


def resource() -> Resource:
    """What all spans are of: Haystack, unless OTEL_SERVICE_NAME or OTEL_RESOURCE_ATTRIBUTES name it otherwise."""
    own = {
        "service.name": "haystack",
        "service.version": __version__,
        "telemetry.sdk.language": "python",
        "telemetry.sdk.name": "opentelemetry",
    }
    return Resource(own).merge(OTELResourceDetector().detect())


class Otlp:
    """The collector that OTEL_EXPORTER_OTLP_ENDPOINT names."""

    def __init__(self) -> None:
        self._said = _Said()
        self._exporter = OTLPSpanExporter()
        self._resource = resource()
        named = next((os.environ[name] for name in ENDPOINTS if os.environ.get(name)), "http://localhost:4318")
        self.endpoint = printable(masked(named))

    def export(self, spans: Sequence[Span]) -> str:
        """Send these; empty, or why they could not be sent."""
        self._said.first = ""
        try:
            result = self._exporter.export([each for span in spans for each in readable(span, self._resource)])
        except Exception as error:  # noqa: BLE001 - whatever a library or a collector does ends no thread
            return printable(f"{type(error).__name__}: {masked(str(error))}")[:LONGEST]
        return "" if result is SpanExportResult.SUCCESS else self._said.first or "the collector did not take it"

    def stop(self) -> None:
        """Give up what is being tried."""
        self._exporter.shutdown()  # type: ignore[no-untyped-call]


class _Said(logging.Handler):
    """The exporter's first complaint about a message. It writes one for each try, and one at the end: none of them gets into the log."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.first = ""
        logger = logging.getLogger("opentelemetry")
        logger.propagate = False
        logger.handlers[:] = [self]

    def emit(self, record: logging.LogRecord) -> None:
        self.first = self.first or printable(masked(record.getMessage()))[:LONGEST]


def readable(span: Span, of: Resource) -> Iterator[ReadableSpan]:
    """The span of the request, and that of what was asked of an endpoint."""
    trace_id = int(span.trace.trace_id, 16)
    yield _made(span_attributes.server(span), SpanKind.SERVER, trace_id, of)
    if span.client:
        yield _made(span_attributes.client(span), SpanKind.CLIENT, trace_id, of)


def _made(told: span_attributes.Told, kind: SpanKind, trace_id: int, of: Resource) -> ReadableSpan:
    def context(span_id: str, *, remote: bool) -> SpanContext:
        return SpanContext(trace_id, int(span_id, 16), remote, SAMPLED)

    return ReadableSpan(
        told.name,
        context(told.span_id, remote=False),
        context(told.parent, remote=told.remote) if told.parent else None,
        of,
        dict(told.attributes),
        kind=kind,
        status=Status(StatusCode.ERROR if told.failed else StatusCode.UNSET),
        start_time=told.begun,
        end_time=told.ended,
        instrumentation_scope=SCOPE,
    )
