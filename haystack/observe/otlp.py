"""OpenTelemetry's exporter, which sends spans to a collector by OTLP over HTTP (http/protobuf): its variables, TLS, tries and time-outs.

What it sends is written by the workers, and otlp_message.py. Imported by the exporter's thread alone (span_exporter.py). Its variables
(OTEL_EXPORTER_OTLP_HEADERS, _CERTIFICATE, _TIMEOUT …) are the SDK's to read. What it logs of a collector that fails is kept for the one
line that Haystack writes.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Sequence

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from requests import Session

from haystack import __version__
from haystack.net.https_adapter import HttpsAdapter
from haystack.observe.otlp_message import Block, Envelope
from haystack.observe.safe_text import printable
from haystack.settings.masking import masked

CREDENTIALS = ("OTEL_PYTHON_EXPORTER_OTLP_HTTP_CREDENTIAL_PROVIDER", "OTEL_PYTHON_EXPORTER_OTLP_HTTP_TRACES_CREDENTIAL_PROVIDER")
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


def _session() -> Session | None:
    """Of connections to a collector; None: a package that the environment names makes it."""
    if any(os.environ.get(name) for name in CREDENTIALS):
        return None
    session = Session()
    session.mount("https://", HttpsAdapter())
    return session


class Otlp:
    """The collector that OTEL_EXPORTER_OTLP_ENDPOINT names."""

    def __init__(self) -> None:
        self._said = _Said()
        self._exporter = OTLPSpanExporter(session=_session())
        told = {name: value if isinstance(value, str | int) else str(value) for name, value in resource().attributes.items()}
        self._envelope = Envelope(told, "haystack", __version__)
        named = next((os.environ[name] for name in ENDPOINTS if os.environ.get(name)), "http://localhost:4318")
        self.endpoint = printable(masked(named))

    def export(self, spans: Sequence[Block]) -> str:
        """Send these in one message, as Envelope.message takes them; empty, or why they could not be sent."""
        self._said.first = ""
        try:
            # its `export` takes an object for each attribute
            result = self._exporter._client.export(self._envelope.message(spans))  # noqa: SLF001
        except Exception as error:  # noqa: BLE001 - whatever a library or a collector does ends no thread
            return printable(f"{type(error).__name__}: {masked(str(error))}")[:LONGEST]
        return "" if result.success else self._said.first or "the collector did not take it"

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
