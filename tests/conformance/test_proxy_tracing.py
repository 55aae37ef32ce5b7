"""W3C Trace Context and spans, from a client to an endpoint and a collector: https://www.w3.org/TR/trace-context-1/, sections 3 and 4."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.fakes.client import Client
from tests.fakes.collector import Collector, attributes
from tests.fakes.origin import Loop, Origin, refused_port, respond, respond_and_close
from tests.fakes.pki import Authority, server_context
from tests.fakes.tls import TlsClient, trusting
from tests.fakes.worker import Haystack, Member, Site, host, until

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SAMPLED, UNSAMPLED = f"00-{TRACE}-{SPAN}-01", f"00-{TRACE}-{SPAN}-00"
STATE = "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"
FORM = re.compile("00-([0-9a-f]{32})-([0-9a-f]{16})-(0[01])")

VALID = {
    "sampled": SAMPLED,
    "flags that are not known": f"00-{TRACE}-{SPAN}-ff",
    "a version to come": f"01-{TRACE}-{SPAN}-01",
    "a version to come with more": f"cc-{TRACE}-{SPAN}-01-what-the-future-will-be-like",
}
INVALID = {
    "empty": "",
    "no version": f"{TRACE}-{SPAN}-01",
    "the version that is none": f"ff-{TRACE}-{SPAN}-01",
    "more than version 00 has": f"{SAMPLED}-x",
    "trailing dash": f"{SAMPLED}-",
    "upper case": SAMPLED.upper(),
    "an upper case version": f"0A-{TRACE}-{SPAN}-01",
    "no trace": f"00-{'0' * 32}-{SPAN}-01",
    "no span": f"00-{TRACE}-{'0' * 16}-01",
    "short": SAMPLED[:-1],
    "long trace": f"00-{TRACE}0-{SPAN}-01",
    "underscores": SAMPLED.replace("-", "_"),
    "no digits": f"00-{TRACE}-{SPAN[:-1]}g-01",
    "a version to come with more and no dash": f"01-{TRACE}-{SPAN}-01x",
    "two in one": f"{SAMPLED}, {SAMPLED}",
}


def fields(parent: str | None, state: str | None = STATE) -> bytes:
    lines = [f"traceparent: {parent}"] * (parent is not None) + [f"tracestate: {state}"] * (state is not None)
    return "".join(f"{line}\r\n" for line in lines).encode()


def sent_on(origin: Origin) -> tuple[list[str], list[str]]:
    """Traceparent and tracestate of the last request that the origin got."""
    return origin.requests[-1].fields("traceparent"), origin.requests[-1].fields("tracestate")


class Traced:
    """A Haystack that records as the settings say, before the service `web`, and its collector."""

    def __init__(self, fakes: Loop, **settings: str) -> None:
        self.collector = Collector()
        self.origin = Origin(fakes, respond()).start()
        self.broken = Origin(fakes, respond_and_close()).start()
        self.refused = refused_port()
        members = [
            Member("web", self.origin.port, {"haystack.public": "true"}),
            Member("broken", self.broken.port),
            Member("refusing", self.refused.getsockname()[1]),
        ]
        self.haystack = Haystack(members, OTEL_EXPORTER_OTLP_ENDPOINT=self.collector.url, **settings).ready()

    def ask(self, given: bytes, image: str = "web", target: str = "/x?y=1", method: str = "GET") -> int:
        with Client(self.haystack.port) as client:
            return client.get(host(image), target, given, method).status

    def close(self) -> None:
        self.haystack.stop()
        self.origin.stop()
        self.broken.stop()
        self.refused.close()
        self.collector.close()


@pytest.fixture(scope="module")
def all_of_them(fakes: Loop) -> Iterator[Traced]:
    made = Traced(fakes)
    yield made
    made.close()


@pytest.fixture(scope="module")
def none_of_them(fakes: Loop) -> Iterator[Traced]:
    made = Traced(fakes, OTEL_TRACES_SAMPLER="parentbased_traceidratio", OTEL_TRACES_SAMPLER_ARG="0")
    yield made
    made.close()


@pytest.mark.parametrize("parent", [*VALID.values(), *INVALID.values(), None])
def test_off_passes_everything_on_as_it_came_and_makes_nothing(site: Site, parent: str | None) -> None:
    name, origin = site.one()
    with site.client() as client:
        client.get(name, "/", fields(parent))
    assert sent_on(origin) == ([] if parent is None else [parent], [STATE])


@pytest.mark.parametrize("parent", VALID.values(), ids=VALID)
def test_a_trace_goes_on_with_a_span_of_haystacks_own(all_of_them: Traced, parent: str) -> None:
    all_of_them.ask(fields(parent))
    (told,), states = sent_on(all_of_them.origin)
    found = FORM.fullmatch(told)
    assert found
    assert (found[1], found[3], states) == (TRACE, "01", [STATE])
    assert found[2] not in (SPAN, "0" * 16)


@pytest.mark.parametrize("parent", [None, *INVALID.values()], ids=["none", *INVALID])
def test_what_can_not_be_read_begins_a_new_trace_without_its_state(all_of_them: Traced, parent: str | None) -> None:
    """Section 4.3: a vendor that can't parse traceparent creates one, and deletes tracestate."""
    all_of_them.ask(fields(parent))
    (told,), states = sent_on(all_of_them.origin)
    found = FORM.fullmatch(told)
    assert found
    assert (found[1] != TRACE, found[3], states) == (True, "01", [])


def test_two_traceparents_are_none(all_of_them: Traced) -> None:
    all_of_them.ask(fields(SAMPLED) + fields(SAMPLED))
    (told,), states = sent_on(all_of_them.origin)
    assert TRACE not in told
    assert states == []


def test_names_are_read_in_any_case_and_several_states_are_kept(all_of_them: Traced) -> None:
    all_of_them.ask(f"TraceParent: {SAMPLED}\r\nTRACESTATE: a=1\r\nTraceState: b=2\r\n".encode())
    (told,), states = sent_on(all_of_them.origin)
    assert TRACE in told
    assert states == ["a=1", "b=2"]


def test_what_connection_lists_goes_no_further_and_counts_for_nothing(all_of_them: Traced) -> None:
    all_of_them.ask(fields(SAMPLED) + b"Connection: traceparent\r\n")
    (told,), _ = sent_on(all_of_them.origin)
    assert TRACE not in told


def test_a_callers_decision_is_heeded_and_what_is_not_recorded_goes_on_as_it_came(all_of_them: Traced) -> None:
    all_of_them.ask(fields(UNSAMPLED))
    assert sent_on(all_of_them.origin) == ([UNSAMPLED], [STATE])


def test_a_trace_that_begins_unsampled_is_told_so(none_of_them: Traced) -> None:
    none_of_them.ask(fields(None))
    (told,), states = sent_on(none_of_them.origin)
    found = FORM.fullmatch(told)
    assert found
    assert (found[3], states) == ("00", [])
    none_of_them.ask(fields(SAMPLED))
    (told,), _ = sent_on(none_of_them.origin)
    assert told.endswith("-01")


def test_a_large_head_with_a_trace_is_passed_on_whole(all_of_them: Traced) -> None:
    """As many fields as may come: those of Haystack's own come on top."""
    many = b"".join(b"X-%d: %s\r\n" % (n, b"v" * 200) for n in range(120))
    assert all_of_them.ask(many + fields(SAMPLED)) == 200
    assert all_of_them.origin.requests[-1].fields("x-119") == ["v" * 200]
    assert len(sent_on(all_of_them.origin)[0]) == 1


def spans_of(collector: Collector, trace: str, count: int) -> list[Any]:
    """The spans of one trace, the server's first, once there are so many."""
    seen = 0
    while True:
        found = [span for span in collector.spans if span.trace_id.hex() == trace]
        if len(found) >= count:
            return sorted(found, key=lambda span: int(span.kind))
        seen = len(collector.wait(seen + 1))


def test_a_request_is_a_server_span_and_a_client_span(all_of_them: Traced) -> None:
    trace = "1" * 32
    all_of_them.ask(fields(f"00-{trace}-{SPAN}-01") + b"User-Agent: me\r\nX-Request-Id: mine\r\n", "web", "/x?y=1", "POST")
    (told,), _ = sent_on(all_of_them.origin)
    server, client = spans_of(all_of_them.collector, trace, 2)
    assert (server.name, server.kind, client.name, client.kind) == ("POST", 2, "POST", 3)
    assert (server.parent_span_id.hex(), client.parent_span_id) == (SPAN, server.span_id)
    assert client.span_id.hex() == told.split("-")[2]
    assert server.start_time_unix_nano <= client.start_time_unix_nano <= client.end_time_unix_nano <= server.end_time_unix_nano
    said = attributes(server)
    assert {name: said[name] for name in ("http.request.method", "url.path", "url.query", "url.scheme", "server.address")} == {
        "http.request.method": "POST", "url.path": "/x", "url.query": "y=1", "url.scheme": "http", "server.address": host("web"),
    }  # fmt: skip
    assert (said["http.response.status_code"], said["client.address"], said["user_agent.original"]) == (200, "127.0.0.1", "me")
    assert (said["haystack.service"], said["http.request.header.x-request-id"]) == (host("web"), ["mine"])
    assert "error.type" not in said
    said = attributes(client)
    assert (said["network.peer.address"], said["network.peer.port"]) == ("127.0.0.1", all_of_them.origin.port)
    assert (server.status.code, client.status.code) == (0, 0)


def test_a_span_tells_https_from_http_on_both_sides(fakes: Loop, tmp_path: Path) -> None:
    authority, folder = Authority(tmp_path), tmp_path / "certs"
    folder.mkdir()
    authority.write(folder, "inside", "*.services.haystack")
    labels = {"protocol": "https", "tls.ca": str(authority.path), "tls.server_name": "db.internal"}
    sealed = Origin(fakes, respond(), tls=server_context(*authority.issue("db.internal"))).start()
    with ExitStack() as stack:
        stack.callback(sealed.stop)
        made = Traced(fakes, HAYSTACK_CERTS=str(folder))
        stack.callback(made.close)
        members = [Member("web", made.origin.port), Member("db", sealed.port, {f"haystack.{name}": text for name, text in labels.items()})]
        made.haystack.show(members)
        until(lambda: made.haystack.serving("db"), 20, "db never came")
        for trace, image in ("8" * 32, "web"), ("9" * 32, "db"):
            with TlsClient(made.haystack.wait("ready")["https"], trusting(authority.path), host(image)) as client:
                assert client.get(host(image), "/x", fields(f"00-{trace}-{SPAN}-01")).status == 200
            server, asked = (attributes(span) for span in spans_of(made.collector, trace, 2))
            assert (server["url.scheme"], server["server.port"]) == ("https", 443)
            origin, scheme = (sealed, "https") if image == "db" else (made.origin, "http")
            assert asked["url.full"] == f"{scheme}://127.0.0.1:{origin.port}/x"


@pytest.mark.parametrize(
    ("image", "status", "error", "client"), [("broken", 502, "connection_terminated", True), ("refusing", 502, "connection_refused", True)]
)
def test_a_failure_is_an_error_of_both(all_of_them: Traced, image: str, status: int, error: str, client: bool) -> None:
    trace = {"broken": "2" * 32, "refusing": "3" * 32}[image]
    assert all_of_them.ask(fields(f"00-{trace}-{SPAN}-01"), image) in (status, 503)
    spans = spans_of(all_of_them.collector, trace, 1 + client)
    assert [span.status.code for span in spans] == [2] * len(spans)
    assert all("error.type" in attributes(span) for span in spans)


def test_a_name_that_is_not_there_has_no_client_span_and_is_no_error(all_of_them: Traced) -> None:
    trace = "4" * 32
    with Client(all_of_them.haystack.port) as client:
        client.get("nobody.example", "/", fields(f"00-{trace}-{SPAN}-01"))
    all_of_them.ask(fields(f"00-{'5' * 32}-{SPAN}-01"))
    spans_of(all_of_them.collector, "5" * 32, 2)  # what came before is there as well
    (server,) = spans_of(all_of_them.collector, trace, 1)
    assert (server.status.code, attributes(server)["haystack.error"]) == (0, "destination_not_found")


def test_haystacks_own_pages_have_no_spans(all_of_them: Traced) -> None:
    trace = "6" * 32
    with Client(all_of_them.haystack.port) as client:
        for path in ("/healthz", "/api/info", "/metrics"):
            assert client.get("localhost", path, fields(f"00-{trace}-{SPAN}-01")).status == 200
    all_of_them.ask(fields(f"00-{'7' * 32}-{SPAN}-01"))
    spans_of(all_of_them.collector, "7" * 32, 2)
    assert [span for span in all_of_them.collector.spans if span.trace_id.hex() == trace] == []


def test_strangers_decide_nothing_and_get_into_no_trace(fakes: Loop) -> None:
    made = Traced(fakes, HAYSTACK_ALLOW="off", OTEL_TRACES_SAMPLER="parentbased_always_off")
    made.ask(fields(SAMPLED))
    (told,), states = sent_on(made.origin)
    assert (TRACE in told, told[-2:], states) == (False, "00", [])
    made.close()
    assert made.collector.spans == []


def test_a_trusted_proxy_is_believed_whoever_its_client_is(fakes: Loop) -> None:
    made = Traced(fakes, HAYSTACK_ALLOW="off", HAYSTACK_TRUSTED_PROXIES="127.0.0.1", OTEL_TRACES_SAMPLER="parentbased_always_off")
    made.ask(fields(SAMPLED) + b"X-Forwarded-For: 203.0.113.9\r\n")
    (told,), _ = sent_on(made.origin)
    assert TRACE in told
    made.close()
    assert {span.trace_id.hex() for span in made.collector.spans} == {TRACE}  # none is lost at the end


@pytest.mark.parametrize("share", ["0.25", "0.99"])
def test_the_share_that_is_recorded_is_that_of_the_sampler(fakes: Loop, share: str) -> None:
    """By the trace id, as the SDK does it: whoever samples by the same share records the same traces."""
    from opentelemetry.sdk.trace.sampling import Decision, TraceIdRatioBased  # noqa: PLC0415

    made = Traced(fakes, OTEL_TRACES_SAMPLER="traceidratio", OTEL_TRACES_SAMPLER_ARG=share)
    sdk, told = TraceIdRatioBased(float(share)), []
    with Client(made.haystack.port) as client:
        for n in range(1, 201):
            given = f"{n:016x}{n * (2**64 // 200):016x}"
            client.get(host("web"), "/", fields(f"00-{given}-{SPAN}-{n % 2:02}"))
            told.append((given, sent_on(made.origin)[0] != [f"00-{given}-{SPAN}-{n % 2:02}"]))
    assert told == [(given, sdk.should_sample(None, int(given, 16), "x").decision is Decision.RECORD_AND_SAMPLE) for given, _ in told]
    made.close()
    assert len({span.trace_id for span in made.collector.spans}) == sum(recorded for _, recorded in told)


def test_a_retry_names_the_same_span_and_how_often_it_was_sent(fakes: Loop) -> None:
    made = Traced(fakes)
    bad, good = Origin(fakes, respond(b"HTTP/1.1 503 Bad\r\nContent-Length: 0\r\n\r\n")).start(), Origin(fakes, respond()).start()
    made.haystack.show([Member("pair", bad.port), Member("pair", good.port)])
    while made.haystack.serving("pair") < 2:
        pass
    with Client(made.haystack.port) as client:
        while not bad.requests:
            assert client.get(host("pair"), "/", fields(None)).status == 200
    ids = bad.requests[-1].fields("traceparent") + good.requests[-1].fields("traceparent")
    assert len(set(ids)) == 1
    _, client_span = spans_of(made.collector, ids[0].split("-")[1], 2)
    said = attributes(client_span)
    assert (said["http.request.resend_count"], said["network.peer.port"]) == (1, good.port)
    made.close()
    bad.stop()
    good.stop()


def test_logs_and_trace_lines_have_the_id_that_endpoints_get(fakes: Loop, tmp_path: Any) -> None:
    collector, origin = Collector(), Origin(fakes, respond()).start()
    settings = {"HAYSTACK_ACCESS_LOG": "ecs", "HAYSTACK_TRACE": "on", "OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
    with (
        (tmp_path / "log").open("wb") as out,
        Haystack([Member("web", origin.port)], out=out, OTEL_TRACES_SAMPLER="always_off", **settings) as haystack,
    ):
        with Client(haystack.port) as client:
            client.get(host("web"), "/made")
            client.get(host("web"), "/given", fields(SAMPLED))
        haystack.wait("exchange.traced")
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    told = {line["url.original"]: line["trace.id"] for line in lines if line["url.domain"] == host("web")}
    traced = {line["target"]: line["trace_id"] for line in haystack.lines if line.get("event") == "exchange.traced"}
    assert told["/given"] == TRACE
    assert told["/made"] == origin.requests[0].fields("traceparent")[0].split("-")[1]
    assert {target: traced[target] for target in told} == told
    assert collector.spans == []
    origin.stop()
    collector.close()


def test_a_dead_collector_is_told_once_and_holds_up_nobody(fakes: Loop) -> None:
    made = Traced(fakes, OTEL_EXPORTER_OTLP_TIMEOUT="1")
    made.collector.status = 503
    for _ in range(3):
        made.ask(fields(SAMPLED))
        made.collector.asked(len(made.collector.requests) + 1)
    assert made.haystack.wait("collector.failed")["endpoint"] == made.collector.url
    made.collector.status = 200
    made.ask(fields(SAMPLED))
    assert made.haystack.wait("collector.back")["lost"] >= 1
    assert [line["event"] for line in made.haystack.lines].count("collector.failed") == 1
    made.close()


def test_curl_sees_nothing_of_it(all_of_them: Traced) -> None:
    """What is told to endpoints is no field of answers."""
    words = ["curl", "-sSi", "-H", f"Host: {host('web')}", f"http://127.0.0.1:{all_of_them.haystack.port}/"]
    shown = subprocess.run(words, capture_output=True, text=True, check=True, timeout=120).stdout.lower()
    assert "200 ok" in shown
    assert "trace" not in shown
