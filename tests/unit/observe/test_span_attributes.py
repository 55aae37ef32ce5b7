"""What spans say of an exchange, in the words of OpenTelemetry's semantic conventions."""

from __future__ import annotations

import pytest

from haystack.model.reports import Span
from haystack.observe import span_attributes
from tests.fakes.state import trace

TRACE = "0af7651916cd43dd8448eb211c80319c"


def span(**changes: object) -> Span:
    return Span(trace(trace_id=TRACE, **changes), "a" * 16, "b" * 16, "c" * 16)


def test_a_span_lasts_as_long_as_its_exchange() -> None:
    given = span(time=1_700_000_000.25, total_ms=250.0, route_ms=50.0)
    server, client = span_attributes.server(given), span_attributes.client(given)
    assert (server.begun, server.ended) == (1_700_000_000_000_000_000, 1_700_000_000_250_000_000)
    assert (client.begun, client.ended) == (1_700_000_000_050_000_000, 1_700_000_000_250_000_000)
    assert (server.span_id, server.parent, server.remote) == ("a" * 16, "b" * 16, True)
    assert (client.span_id, client.parent, client.remote) == ("c" * 16, "a" * 16, False)


@pytest.mark.parametrize(
    ("status", "server", "client"),
    [(200, False, False), (302, False, False), (404, False, True), (500, True, True), (503, True, True), (0, True, True)],
)
def test_an_error_is_whose_fault_it_is(status: int, server: bool, client: bool) -> None:
    given = span(status=status)
    assert (span_attributes.server(given).failed, span_attributes.client(given).failed) == (server, client)
    assert span_attributes.server(given).attributes.get("error.type") == (str(status) if server else None)
    assert span_attributes.client(given).attributes.get("error.type") == (str(status) if client else None)


def test_an_error_of_haystacks_own_has_its_word() -> None:
    said = span_attributes.server(span(status=502, error="connection_refused", detail="no endpoint could be reached")).attributes
    assert (said["error.type"], said["haystack.error"], said["haystack.detail"]) == (
        "connection_refused", "connection_refused", "no endpoint could be reached",
    )  # fmt: skip
    said = span_attributes.server(span(status=404, error="destination_not_found")).attributes
    assert ("error.type" in said, said["haystack.error"]) == (False, "destination_not_found")


@pytest.mark.parametrize("method", ["", "get", "PURGE", "G" * 32])
def test_a_method_that_is_not_known_is_no_name(method: str) -> None:
    told = span_attributes.server(span(method=method))
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
    said = span_attributes.server(span(target=target)).attributes
    assert (said["url.path"], said.get("url.query")) == (path, query)


@pytest.mark.parametrize(
    ("host", "address", "port"),
    [("a.example", "a.example", 80), ("a.example:8080", "a.example", 8080), ("[::1]:81", "::1", 81), ("[::1]", "::1", 80), ("", None, 80)],
)
def test_a_host_is_address_and_port(host: str, address: str | None, port: int) -> None:
    said = span_attributes.server(span(host=host)).attributes
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
    said = span_attributes.server(span(listener=listener, host=host)).attributes
    assert (said["url.scheme"], said["server.port"]) == (scheme, port)


@pytest.mark.parametrize(
    ("protocol", "scheme", "version"),
    [("", "http", "1.1"), ("http", "http", "1.1"), ("h2c", "http", "2"), ("h2", "https", "2"), ("https", "https", "1.1")],
)
def test_the_endpoints_protocol_tells_the_scheme_and_version_of_what_it_was_asked(protocol: str, scheme: str, version: str) -> None:
    given = span(endpoint="10.0.0.1:8443", protocol=protocol, version="2")
    said = span_attributes.client(given).attributes
    assert (said["url.full"], said["network.protocol.version"]) == (f"{scheme}://10.0.0.1:8443/x", version)
    assert span_attributes.server(given).attributes["network.protocol.version"] == "2"


def test_the_endpoint_is_whom_the_client_span_is_about() -> None:
    given = span(candidates=("10.0.0.1:80", "[fd00::1]:8000"), endpoint="[fd00::1]:8000", target="/x?sig=1", reused=True)
    said = span_attributes.client(given).attributes
    assert said["url.full"] == "http://[fd00::1]:8000/x?sig=REDACTED"
    assert (said["network.peer.address"], said["network.peer.port"], said["http.request.resend_count"]) == ("fd00::1", 8000, 1)
    assert said["haystack.reused"] is True
    gone = span_attributes.client(span(candidates=("10.0.0.1:80",), endpoint="")).attributes
    assert (gone["server.address"], gone["server.port"]) == ("10.0.0.1", 80)
