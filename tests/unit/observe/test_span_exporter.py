"""Spans on their way to a collector: bounded, counted, and told of once, whatever the collector does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

import pytest
from structlog.testing import capture_logs

from haystack.model.reports import Span, packed_span
from haystack.observe.span_exporter import Sink, SpanExporter
from tests.fakes.collector import Collector, attributes

TRACE = "0af7651916cd43dd8448eb211c80319c"
LIMIT = 20.0


def packed(count: int = 1) -> list[bytes]:
    """As a worker has them: exchange/record.pyx makes the rows."""
    way = b"172.17.0.9:80\0172.17.0.2:80\0", "web", "172.17.0.2:80", True, 200, 0, 612, 0.01, -1.0, 1.5, 2.25
    row = (1.0, 80, b"10.0.0.1", b"GET", b"web", b"/x", b"", 11, *way, b"", b"", b"", b"", TRACE.encode(), b"", b"http")
    return [packed_span((row, b"a" * 16, b"", b"c" * 16), 0, lambda port: f"http:{port}") for _ in range(count)]


class Held:
    """A sink that stands until it is let go on. why: what it says of each batch."""

    endpoint = "http://collector:4318"

    def __init__(self, why: str = "") -> None:
        self.why, self.batches = why, []
        self.asked, self.go_on, self.stopped = threading.Semaphore(0), threading.Semaphore(0), threading.Event()

    def export(self, spans: Sequence[Span]) -> str:
        self.batches.append(len(spans))
        self.asked.release()
        assert self.go_on.acquire(timeout=LIMIT)
        return self.why

    def stop(self) -> None:
        self.stopped.set()
        self.go_on.release(100)


@pytest.fixture
def exporter() -> Iterator[Callable[..., SpanExporter]]:
    made: list[SpanExporter] = []

    def make(sink: Callable[[], Sink], **given: float) -> SpanExporter:
        made.append(SpanExporter(sink, **{"delay": 0.0} | given))
        return made[-1]

    yield make
    for each in made:
        each.close(LIMIT)
        each._thread.join(LIMIT)
        assert not each._thread.is_alive()


def test_what_a_slow_collector_has_no_room_for_is_lost_and_counted(exporter: Callable[..., SpanExporter]) -> None:
    sink = Held()
    spans = exporter(lambda: sink, limit=10)
    spans.take(packed())
    assert sink.asked.acquire(timeout=LIMIT)
    for _ in range(5):
        spans.take(packed(4), dropped=1)
    assert spans.lost == 5 + 10
    with capture_logs() as lines:
        sink.go_on.release(2)
        assert sink.asked.acquire(timeout=LIMIT)
        spans.close(LIMIT)
    assert sink.batches == [1, 10]
    assert (spans.sent, spans.lost) == (11, 15)
    assert [(line["event"], line["count"]) for line in lines] == [("spans.lost", 15)]


def test_a_collector_that_fails_is_told_once_and_so_is_its_return(exporter: Callable[..., SpanExporter]) -> None:
    sink = Held("refused")
    spans = exporter(lambda: sink)
    with capture_logs() as lines:
        for why in ("refused", "reset", "refused", "", ""):
            spans.take(packed(3))
            assert sink.asked.acquire(timeout=LIMIT)
            sink.why = why
            sink.go_on.release()
        spans.close(LIMIT)
    assert [(line["event"], line.get("error"), line.get("lost")) for line in lines] == [
        ("collector.failed", "refused", None),
        ("collector.back", None, 9),
    ]
    assert (spans.sent, spans.lost) == (6, 9)


def test_the_end_waits_for_no_collector_that_fails(exporter: Callable[..., SpanExporter]) -> None:
    sink = Held("refused")
    spans = exporter(lambda: sink)
    spans.take(packed())
    assert sink.asked.acquire(timeout=LIMIT)
    sink.go_on.release()
    spans.take(packed())
    assert sink.asked.acquire(timeout=LIMIT)  # the first is judged: it fails
    spans.take(packed(5))
    with capture_logs() as lines:
        spans.close(3600.0)
    assert sink.stopped.is_set()
    assert [(line["event"], line["count"]) for line in lines if line["event"] == "spans.lost"] == [("spans.lost", 6)]


def test_a_library_that_is_not_there_is_an_error_and_no_more(exporter: Callable[..., SpanExporter]) -> None:
    def missing() -> Sink:
        raise ModuleNotFoundError("opentelemetry")

    with capture_logs() as lines:
        spans = exporter(missing)
        spans._thread.join(LIMIT)
        spans.take(packed())
    assert [(line["event"], line["error"]) for line in lines] == [("spans.failed", "opentelemetry")]


class Taking:
    """A sink that takes everything, unless it is told to raise. batches: how many spans each had."""

    endpoint = "http://collector:4318"

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.error: Exception | None = None
        self.asked = threading.Semaphore(0)

    def export(self, spans: Sequence[Span]) -> str:
        self.batches.append(len(spans))
        error = self.error
        self.asked.release()
        if error is not None:
            raise error
        return ""

    def stop(self) -> None:
        """Nothing is being tried."""


def test_what_is_no_span_is_lost_and_told_once_and_the_others_are_sent(exporter: Callable[..., SpanExporter]) -> None:
    """The thread ended with the first one, and whatever came later waited for ever."""
    sink = Taking()
    with capture_logs() as lines:
        spans = exporter(lambda: sink)
        spans.take([b"no span", *packed(2), b"nor this"])
        assert sink.asked.acquire(timeout=LIMIT)
        spans.take([*packed(), b"nor that"])
        assert sink.asked.acquire(timeout=LIMIT)
        spans.close(LIMIT)
    assert sink.batches == [2, 1]
    assert (spans.sent, spans.lost) == (3, 3)
    assert [line["event"] for line in lines].count("spans.failed") == 1
    assert lines[1]["reason"] == "some can't be read"
    assert sum(line["count"] for line in lines if line["event"] == "spans.lost") == 3


def test_a_sink_that_raises_has_its_batch_lost_and_gets_the_next(exporter: Callable[..., SpanExporter]) -> None:
    sink = Taking()
    with capture_logs() as lines:
        spans = exporter(lambda: sink)
        for error in (RuntimeError("no"), None):
            sink.error = error
            spans.take(packed(2))
            assert sink.asked.acquire(timeout=LIMIT)
        spans.close(LIMIT)
    assert (spans.sent, spans.lost) == (2, 2)
    assert [line["event"] for line in lines] == ["spans.failed", "collector.failed", "collector.back"]


def test_a_real_collector_gets_spans_in_one_trace(exporter: Callable[..., SpanExporter], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20x")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=lab")
    with Collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        spans = SpanExporter(delay=0.0)
        spans.take(packed())
        server, client = collector.wait(2)
        spans.close(LIMIT)
    assert (server.trace_id.hex(), server.parent_span_id.hex(), client.parent_span_id.hex()) == (TRACE, "", "a" * 16)
    assert (server.kind, client.kind) == (2, 3)
    assert collector.requests[0]["path"] == "/v1/traces"
    assert collector.requests[0]["authorization"] == "Bearer x"
    assert collector.resource["service.name"] == "haystack"
    assert collector.resource["deployment.environment.name"] == "lab"
    assert attributes(server)["http.response.status_code"] == 200


def test_what_a_collector_says_that_refuses_is_told_without_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    with Collector() as collector:
        collector.status = 400
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url.replace("//", "//user:secret@"))
        with capture_logs() as lines:
            spans = SpanExporter(delay=0.0)
            spans.take(packed())
            collector.asked(1)
            spans.close(LIMIT)
    (failed, lost) = lines
    assert (failed["event"], lost["event"], lost["count"]) == ("collector.failed", "spans.lost", 1)
    assert failed["endpoint"] == collector.url.replace("//", "//***@")
    assert "400" in failed["error"]
    assert "secret" not in str(lines)
