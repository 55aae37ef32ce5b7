"""Spans on their way to a collector: bounded, counted, and told of once, whatever the collector does."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

import pytest
from structlog.testing import capture_logs

from haystack._fast.log.otlp_span import SpanBuffer
from haystack._fast.log.span_parts import parts
from haystack._fast.testing import add_spans
from haystack.observe.otlp_message import Block
from haystack.observe.span_exporter import BATCH, BLOCKS, LARGEST, Sink, SpanExporter
from tests.fakes.collector import Collector, attributes
from tests.fakes.state import trace

TRACE = "0af7651916cd43dd8448eb211c80319c"
LIMIT = 20.0


def written(count: int = 1) -> tuple[bytes, int]:
    """As a worker has them: spans of so many exchanges, and how many."""
    kept = SpanBuffer(["http:80"])
    for _ in range(count):
        add_spans(kept, trace(trace_id=TRACE), b"a" * 16, b"", b"c" * 16)
    taken = kept.take()
    assert taken is not None
    return taken[:2]


SIZE = len(written()[0])


class Held:
    """A sink that stands until it is let go on. why: what it says of each batch."""

    endpoint = "http://collector:4318"

    def __init__(self, why: str = "") -> None:
        self.why, self.batches = why, list[float]()
        self.asked, self.go_on, self.stopped = threading.Semaphore(0), threading.Semaphore(0), threading.Event()

    def export(self, spans: Sequence[Block]) -> str:
        self.batches.append(sum(map(len, spans)) / SIZE)
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
        made.append(SpanExporter(parts, sink, **{"delay": 0.0} | given))
        return made[-1]

    yield make
    for each in made:
        each.close(LIMIT)
        each._thread.join(LIMIT)
        assert not each._thread.is_alive()


def test_what_a_slow_collector_has_no_room_for_is_lost_and_counted(exporter: Callable[..., SpanExporter]) -> None:
    sink = Held()
    spans = exporter(lambda: sink, limit=10 * SIZE)
    spans.take(*written())
    assert sink.asked.acquire(timeout=LIMIT)
    for _ in range(5):
        spans.take(*written(4), dropped=1)
    assert spans.lost == 5 + 12  # a tick's are kept or lost together
    with capture_logs() as lines:
        sink.go_on.release(2)
        assert sink.asked.acquire(timeout=LIMIT)
        spans.close(LIMIT)
    assert sink.batches == [1, 8]
    assert (spans.sent, spans.lost) == (9, 17)
    assert [(line["event"], line["count"]) for line in lines] == [("spans.lost", 17)]


def test_a_collector_that_fails_is_told_once_and_so_is_its_return(exporter: Callable[..., SpanExporter]) -> None:
    sink = Held("refused")
    spans = exporter(lambda: sink)
    with capture_logs() as lines:
        for why in ("refused", "reset", "refused", "", ""):
            spans.take(*written(3))
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
    spans.take(*written())
    assert sink.asked.acquire(timeout=LIMIT)
    sink.go_on.release()
    spans.take(*written())
    assert sink.asked.acquire(timeout=LIMIT)  # the first is judged: it fails
    spans.take(*written(5))
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
        spans.take(*written())
    assert [(line["event"], line["error"]) for line in lines] == [("spans.failed", "opentelemetry")]


class Taking:
    """A sink that takes everything, unless it is told to raise. batches: of how many exchanges each was."""

    endpoint = "http://collector:4318"

    def __init__(self) -> None:
        self.batches: list[float] = []
        self.taken: list[Block] = []
        self.error: Exception | None = None
        self.asked = threading.Semaphore(0)

    def export(self, spans: Sequence[Block]) -> str:
        self.batches.append(sum(map(len, spans)) / SIZE)
        self.taken += spans
        error = self.error
        self.asked.release()
        if error is not None:
            raise error
        return ""

    def stop(self) -> None:
        """Nothing is being tried."""


def test_a_message_has_many_and_no_more_than_may_be_in_one(exporter: Callable[..., SpanExporter]) -> None:
    """What comes in a second goes out as one, unless it is half a megabyte: proxies before collectors have bounds of their own."""
    sink, tick = Held(), 100
    spans = exporter(lambda: sink, delay=3600.0)
    enough = BATCH // (tick * SIZE)
    for _ in range(2 * enough + 1):
        spans.take(*written(tick))
    assert sink.asked.acquire(timeout=LIMIT)
    sink.go_on.release(3)
    spans.close(LIMIT)
    assert sink.batches == [tick * enough, tick * enough, tick]
    assert (spans.sent, spans.lost) == ((2 * enough + 1) * tick, 0)


def test_what_a_worker_sends_at_once_may_be_several_messages(exporter: Callable[..., SpanExporter]) -> None:
    sink = Taking()
    spans = exporter(lambda: sink, delay=3600.0)
    block, count = written(5 * BATCH // (2 * SIZE))
    spans.take(memoryview(block), count)
    spans.close(LIMIT)
    assert len(sink.batches) == 3
    assert max(sink.batches) * SIZE <= BATCH
    assert b"".join(sink.taken) == block
    assert (spans.sent, spans.lost) == (count, 0)


def test_a_worker_with_as_many_as_it_has_room_for_is_believed(exporter: Callable[..., SpanExporter]) -> None:
    sink = Taking()
    spans = exporter(lambda: sink)
    kept = SpanBuffer(["http:80"])
    for _ in range(3 * LARGEST // SIZE):
        add_spans(kept, trace(trace_id=TRACE), b"a" * 16, b"", b"c" * 16)
    block, count, dropped = kept.take() or (b"", 0, 0)
    assert dropped
    assert len(block) > LARGEST - (1 << 17)
    spans.take(block, count, dropped)
    spans.close(LIMIT)
    assert (spans.sent, spans.lost) == (count, dropped)


@pytest.mark.parametrize(
    ("block", "count", "dropped", "lost"),
    [
        pytest.param(written()[0] * (LARGEST // SIZE + 1), LARGEST // SIZE + 1, 1, LARGEST // SIZE + 2, id="more than it has room for"),
        pytest.param(written()[0], -1, 0, 0, id="less than none"),
        pytest.param(b"", 0, -1, 0, id="less than none dropped"),
        pytest.param(written()[0][:-1], 1, 0, 1, id="half a span"),
        pytest.param(b"\x0a" + written()[0][1:], 1, 0, 1, id="no spans"),
        pytest.param(b"", 5, 0, 5, id="none"),
        pytest.param(written()[0], 3, 0, 3, id="of more exchanges than they can be"),
    ],
)
def test_what_no_worker_sends_costs_the_others_nothing(
    exporter: Callable[..., SpanExporter], block: bytes, count: int, dropped: int, lost: int
) -> None:
    """In one message with it they would be lost, too."""
    sink = Taking()
    spans = exporter(lambda: sink, delay=3600.0)
    spans.take(*written(2))
    with pytest.raises(ValueError, match="spans"):
        spans.take(block, count, dropped)
    spans.take(*written(3))
    spans.close(LIMIT)
    assert sink.batches == [5]
    assert (spans.sent, spans.lost) == (5, lost)


def test_no_more_blocks_wait_than_there_is_memory_for_however_small_they_are(exporter: Callable[..., SpanExporter]) -> None:
    """Each takes some hundred bytes beside what it holds."""
    sink = Held()
    spans = exporter(lambda: sink)
    spans.take(*written())
    assert sink.asked.acquire(timeout=LIMIT)
    for _ in range(BLOCKS + 10):
        spans.take(b"\x12\x00", 1)
    assert spans.lost == 10
    sink.go_on.release(2)
    spans.close(LIMIT)
    assert (spans.sent, spans.lost) == (1 + BLOCKS, 10)


def test_the_newest_has_a_place_however_large_it_is(exporter: Callable[..., SpanExporter]) -> None:
    sink = Taking()
    spans = exporter(lambda: sink, limit=2, delay=3600.0)
    spans.take(*written(2))
    spans.take(*written(3))
    spans.close(LIMIT)
    assert sink.batches == [3]
    assert (spans.sent, spans.lost) == (3, 2)


def test_a_sink_that_raises_has_its_batch_lost_and_gets_the_next(exporter: Callable[..., SpanExporter]) -> None:
    sink = Taking()
    with capture_logs() as lines:
        spans = exporter(lambda: sink)
        for error in (RuntimeError("no"), None):
            sink.error = error
            spans.take(*written(2))
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
        spans = SpanExporter(parts, delay=0.0)
        spans.take(*written())
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
            spans = SpanExporter(parts, delay=0.0)
            spans.take(*written())
            collector.asked(1)
            spans.close(LIMIT)
    (failed, lost) = lines
    assert (failed["event"], lost["event"], lost["count"]) == ("collector.failed", "spans.lost", 1)
    assert failed["endpoint"] == collector.url.replace("//", "//***@")
    assert "400" in failed["error"]
    assert "secret" not in str(lines)
