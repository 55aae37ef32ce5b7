"""Spans as a message: what OpenTelemetry's own encoder makes of the same, field by field."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from haystack.observe.otlp_message import SHORT, Kind, message, span
from haystack.observe.span_attributes import Told

TRACE = bytes(range(1, 17))
RESOURCE = {"service.name": "haystack", "replicas": 3}
OURS = {SpanKind.SERVER: Kind.SERVER, SpanKind.CLIENT: Kind.CLIENT}
texts = st.text(st.characters(codec="utf-8"), max_size=2 * SHORT)
values = texts | st.booleans() | st.integers(-(1 << 63), (1 << 63) - 1) | st.lists(texts, max_size=3)
moments = st.integers(0, (1 << 64) - 1)
idents = st.integers(1, (1 << 64) - 1).map("{:016x}".format)
told = st.builds(
    Told, texts, idents, st.just("") | idents, st.booleans(), moments, moments, st.dictionaries(texts.filter(bool), values), st.booleans()
)


def theirs(each: Told, kind: SpanKind) -> ReadableSpan:
    def context(ident: str, *, remote: bool) -> SpanContext:
        return SpanContext(int.from_bytes(TRACE), int(ident, 16), remote, TraceFlags(TraceFlags.SAMPLED))

    return ReadableSpan(
        each.name,
        context(each.span_id, remote=False),
        context(each.parent, remote=each.remote) if each.parent else None,
        Resource(RESOURCE),
        dict(each.attributes),
        kind=kind,
        status=Status(StatusCode.ERROR if each.failed else StatusCode.UNSET),
        start_time=each.begun,
        end_time=each.ended,
        instrumentation_scope=InstrumentationScope("haystack", "1.2"),
    )


@given(st.lists(st.tuples(told, st.sampled_from(sorted(OURS, key=str))), min_size=1, max_size=4))
def test_a_message_says_what_the_sdk_would_say(spans: list[tuple[Told, SpanKind]]) -> None:
    packed = message((span(each, OURS[kind], TRACE) for each, kind in spans), RESOURCE, "haystack", "1.2")
    assert ExportTraceServiceRequest.FromString(packed) == encode_spans([theirs(*each) for each in spans])


def test_values_that_are_equal_and_not_the_same_stay_apart() -> None:
    """True is 1 in Python, and attributes that were written once are kept."""
    for value in (1, True, 1):
        packed = span(Told("GET", "a" * 16, "", False, 1, 2, {"n": value}, False), Kind.SERVER, TRACE)
        found = Span.FromString(packed).attributes[0].value
        assert found.WhichOneof("value") == ("bool_value" if value is True else "int_value")
