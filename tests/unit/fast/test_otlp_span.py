"""What spans say of an exchange, in the words of OpenTelemetry's semantic conventions, and that a collector reads what is written."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.trace import SpanContext, SpanKind, Status, StatusCode, TraceFlags

from haystack._fast import testing
from haystack._fast.log.otlp_span import SpanBuffer
from haystack.model.reports import Trace
from tests.fakes.collector import attributes
from tests.fakes.state import trace
from tests.oracles import span_attributes
from tests.oracles.span_attributes import METHODS, Span, Told

TRACE = "0af7651916cd43dd8448eb211c80319c"
LATIN = st.text(st.characters(max_codepoint=255), max_size=200)
NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
SECRETS = st.sampled_from(["sig=", "Signature=", "AWSAccessKeyId=", "X-Goog-Signature=", "sig", "xsig=", "&", "?", "=", "/", "a", "\xe4"])
QUERIES = st.lists(SECRETS, max_size=12).map("".join)
TARGETS = LATIN | st.tuples(st.sampled_from(["/", "", "*", "http://a.example", "HTTPS://a:1", "httpx://a", "http:/"]), QUERIES).map("".join)
PORTS = st.sampled_from(["", ":", ":0", ":80", ":65535", ":99999", ":100000", ":8o", "]:1", ":1]"])
PLACES = st.tuples(LATIN | st.sampled_from(["", "[::1]", "::1", "[[a]]", "a.example"]), PORTS).map("".join)
LABELS = st.tuples(NAMES | st.sampled_from(["10.0.0.1", "[fd00::1]"]), PORTS).map("".join)
COUNT = st.integers(0, 2**62)
PHASE = st.integers(0, 10**12).map(lambda ns: ns / 1e6)
IDENT = st.integers(1, (1 << 64) - 1).map("{:016x}".format)
TRACES = st.builds(
    Trace, time=st.integers(10**9, 2**32).map(float), worker=st.integers(0, 999),
    listener=st.sampled_from(["http:80", "http-alt:8080", "https:443", "httpsx:1", "https"]), client=LATIN,
    method=st.sampled_from(sorted(METHODS)) | LATIN, host=PLACES, target=TARGETS, service=NAMES,
    candidates=st.lists(LABELS, max_size=4).map(tuple), endpoint=st.just("") | LABELS, reused=st.booleans(),
    status=st.just(0) | st.integers(100, 999), received=COUNT, sent=COUNT, route_ms=st.just(-1.0) | PHASE, connect_ms=PHASE,
    first_byte_ms=PHASE, total_ms=PHASE, request_id=LATIN, version=st.sampled_from(["1.0", "1.1", "2"]), error=LATIN, detail=LATIN,
    user_agent=LATIN, trace_id=st.integers(1, (1 << 128) - 1).map("{:032x}".format), client_subject=NAMES,
    protocol=st.sampled_from(["", "http", "h2c", "h2", "https"]),
)  # fmt: skip


def written(*spans: Span) -> list[Any]:
    """What a collector reads of these: the server's span of each and, where endpoints were tried, the client's."""
    (listener,) = {span.trace.listener for span in spans}
    kept = SpanBuffer([listener])
    for span in spans:
        testing.add_spans(kept, span.trace, span.server.encode(), span.caller.encode(), span.client.encode())
    taken = kept.take()
    assert taken is not None
    assert taken[1:] == (len(spans), 0)
    return list(ScopeSpans.FromString(taken[0]).spans)


def theirs(told: Told, trace_id: str, kind: SpanKind) -> ReadableSpan:
    """A span of the SDK."""

    def context(ident: str, *, remote: bool) -> SpanContext:
        return SpanContext(int(trace_id, 16), int(ident, 16), remote, TraceFlags(TraceFlags.SAMPLED))

    return ReadableSpan(
        told.name,
        context(told.span_id, remote=False),
        context(told.parent, remote=told.remote) if told.parent else None,
        attributes=dict(told.attributes),
        kind=kind,
        status=Status(StatusCode.ERROR if told.failed else StatusCode.UNSET),
        start_time=told.begun,
        end_time=told.ended,
    )


def plainly(span: Span) -> list[Any]:
    """The same by the conventions in plain Python, and the SDK's encoder."""
    made = [theirs(span_attributes.server(span), span.trace.trace_id, SpanKind.SERVER)]
    if span.trace.candidates:
        made.append(theirs(span_attributes.client(span), span.trace.trace_id, SpanKind.CLIENT))
    return list(encode_spans(made).resource_spans[0].scope_spans[0].spans)


@settings(max_examples=500)
@given(st.builds(Span, TRACES, IDENT, st.just("") | IDENT, IDENT))
def test_spans_are_what_plain_python_and_the_sdk_make_of_the_same(span: Span) -> None:
    assert written(span) == plainly(span)


def test_spans_of_several_exchanges_stand_one_behind_the_other() -> None:
    one, other = span(), span(target="/" + "x" * 20_000, user_agent="\xfc" * 300)
    assert written(one, other, one) == [*plainly(one), *plainly(other), *plainly(one)]


def test_more_than_there_is_room_for_is_counted_and_there_is_room_again_later() -> None:
    kept, large = SpanBuffer(["http:80"]), trace(trace_id=TRACE, target="/" + "x" * 200_000)
    for _ in range(5):
        testing.add_spans(kept, large, b"a" * 16, b"", b"c" * 16)
    taken = kept.take()
    assert taken is not None
    assert (len(ScopeSpans.FromString(taken[0]).spans), taken[1:]) == (2 * taken[1], (taken[1], 5 - taken[1]))
    assert 0 < taken[1] < 5
    assert kept.take() is None
    testing.add_spans(kept, large, b"a" * 16, b"", b"c" * 16)
    assert (kept.take() or ())[1:] == (1, 0)


class Read:
    """A span that was read, as the tests below ask for it."""

    def __init__(self, span: Any) -> None:
        self.name, self.attributes, self.failed = span.name, attributes(span), span.status.code == 2
        self.begun, self.ended = span.start_time_unix_nano, span.end_time_unix_nano
        self.span_id, self.parent, self.remote = span.span_id.hex(), span.parent_span_id.hex(), span.flags == 0x300


def span(**changes: object) -> Span:
    return Span(trace(**{"trace_id": TRACE, "listener": "http:80"} | changes), "a" * 16, "b" * 16, "c" * 16)


def server(given: Span) -> Read:
    return Read(written(given)[0])


def client(given: Span) -> Read:
    return Read(written(given)[1])


def test_a_span_lasts_as_long_as_its_exchange() -> None:
    given = span(time=1_700_000_000.25, total_ms=250.0, route_ms=50.0)
    own, asked = server(given), client(given)
    assert (own.begun, own.ended) == (1_700_000_000_000_000_000, 1_700_000_000_250_000_000)
    assert (asked.begun, asked.ended) == (1_700_000_000_050_000_000, 1_700_000_000_250_000_000)
    assert (own.span_id, own.parent, own.remote) == ("a" * 16, "b" * 16, True)
    assert (asked.span_id, asked.parent, asked.remote) == ("c" * 16, "a" * 16, False)


@pytest.mark.parametrize(
    ("status", "own", "asked"),
    [(200, False, False), (302, False, False), (404, False, True), (500, True, True), (503, True, True), (0, True, True)],
)
def test_an_error_is_whose_fault_it_is(status: int, own: bool, asked: bool) -> None:
    given = span(status=status)
    assert (server(given).failed, client(given).failed) == (own, asked)
    assert server(given).attributes.get("error.type") == (str(status) if own else None)
    assert client(given).attributes.get("error.type") == (str(status) if asked else None)


def test_an_error_of_haystacks_own_has_its_word() -> None:
    said = server(span(status=502, error="connection_refused", detail="no endpoint could be reached")).attributes
    assert (said["error.type"], said["haystack.error"], said["haystack.detail"]) == (
        "connection_refused", "connection_refused", "no endpoint could be reached",
    )  # fmt: skip
    said = server(span(status=404, error="destination_not_found")).attributes
    assert ("error.type" in said, said["haystack.error"]) == (False, "destination_not_found")


@pytest.mark.parametrize("method", ["", "get", "PURGE", "G" * 32])
def test_a_method_that_is_not_known_is_no_name(method: str) -> None:
    told = server(span(method=method))
    assert (told.name, told.attributes["http.request.method"]) == ("HTTP", "_OTHER")
    assert told.attributes.get("http.request.method_original", "") == method


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        ("/", "/", None),
        ("/a?b=c&d", "/a", "b=c&d"),
        ("http://a.example/x?y", "/x", "y"),
        ("http://a.example?y", "/", "y"),
        ("*", "*", None),
        ("/?sig=1&a=2&Signature=x%20y&xsig=3", "/", "sig=REDACTED&a=2&Signature=REDACTED&xsig=3"),
        ("/?AWSAccessKeyId=&X-Goog-Signature=5", "/", "AWSAccessKeyId=REDACTED&X-Goog-Signature=REDACTED"),
    ],
)
def test_a_target_is_path_and_query_without_keys(target: str, path: str, query: str | None) -> None:
    said = server(span(target=target)).attributes
    assert (said["url.path"], said.get("url.query")) == (path, query)


@pytest.mark.parametrize(
    ("host", "address", "port"),
    [("a.example", "a.example", 80), ("a.example:8080", "a.example", 8080), ("[::1]:81", "::1", 81), ("[::1]", "::1", 80), ("", None, 80)],
)
def test_a_host_is_address_and_port(host: str, address: str | None, port: int) -> None:
    said = server(span(host=host)).attributes
    assert (said.get("server.address"), said["server.port"]) == (address, port)


@pytest.mark.parametrize(
    ("listener", "host", "scheme", "port"),
    [
        ("http:80", "a.example", "http", 80),
        ("http-alt:8080", "a.example:8080", "http", 8080),
        ("https:443", "a.example", "https", 443),
        ("https:8443", "a.example:8443", "https", 8443),
    ],
)
def test_the_listener_tells_the_scheme(listener: str, host: str, scheme: str, port: int) -> None:
    said = server(span(listener=listener, host=host)).attributes
    assert (said["url.scheme"], said["server.port"]) == (scheme, port)


@pytest.mark.parametrize(
    ("protocol", "scheme", "version"),
    [("", "http", "1.1"), ("http", "http", "1.1"), ("h2c", "http", "2"), ("h2", "https", "2"), ("https", "https", "1.1")],
)
def test_the_endpoints_protocol_tells_the_scheme_and_version_of_what_it_was_asked(protocol: str, scheme: str, version: str) -> None:
    given = span(endpoint="10.0.0.1:8443", protocol=protocol, version="2")
    said = client(given).attributes
    assert (said["url.full"], said["network.protocol.version"]) == (f"{scheme}://10.0.0.1:8443/x", version)
    assert server(given).attributes["network.protocol.version"] == "2"


def test_the_endpoint_is_whom_the_client_span_is_about() -> None:
    given = span(candidates=("10.0.0.1:80", "[fd00::1]:8000"), endpoint="[fd00::1]:8000", target="/x?sig=1", reused=True)
    said = client(given).attributes
    assert said["url.full"] == "http://[fd00::1]:8000/x?sig=REDACTED"
    assert (said["network.peer.address"], said["network.peer.port"], said["http.request.resend_count"]) == ("fd00::1", 8000, 1)
    assert said["haystack.reused"] is True
    gone = client(span(candidates=("10.0.0.1:80",), endpoint="")).attributes
    assert (gone["server.address"], gone["server.port"]) == ("10.0.0.1", 80)
