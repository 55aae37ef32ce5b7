"""The message around spans: what OpenTelemetry's own encoder makes of the same."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.util.instrumentation import InstrumentationScope
from opentelemetry.trace import SpanContext

from haystack.observe.otlp_message import Envelope

texts = st.text(st.characters(codec="utf-8"), max_size=200)
resources = st.dictionaries(texts.filter(bool), texts | st.integers(-(1 << 63), (1 << 63) - 1), min_size=1)
blocks = st.lists(st.lists(texts, min_size=1, max_size=3), min_size=1, max_size=3)


def block(spans: list[ReadableSpan]) -> bytes:
    """As a worker writes them: the list of spans alone."""
    return ScopeSpans(spans=encode_spans(spans).resource_spans[0].scope_spans[0].spans).SerializeToString()


@given(resources, blocks)
def test_a_message_says_what_the_sdk_would_say(resource: dict[str, str | int], names: list[list[str]]) -> None:
    def span(name: str) -> ReadableSpan:
        scope = InstrumentationScope("haystack", "1.2")
        return ReadableSpan(name, SpanContext(1, 2, is_remote=False), resource=Resource(resource), instrumentation_scope=scope)

    spans = [[span(name) for name in each] for each in names]
    packed = Envelope(resource, "haystack", "1.2").message([memoryview(block(each)) for each in spans])
    assert ExportTraceServiceRequest.FromString(packed) == encode_spans([each for some in spans for each in some])


def test_what_utf_8_has_no_form_for_is_a_question_mark() -> None:
    packed = Envelope({"a": "x\ud800"}, "haystack", "1.2").message([])
    (found,) = ExportTraceServiceRequest.FromString(packed).resource_spans[0].resource.attributes
    assert found.value.string_value == "x?"
