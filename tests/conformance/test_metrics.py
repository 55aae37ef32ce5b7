"""/metrics of a real process: what traffic leaves there, which processes it knows, and a real Prometheus that scrapes it."""

from __future__ import annotations

import gzip
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.client import Client, Response
from tests.fakes.origin import Loop, Origin, respond
from tests.fakes.worker import Haystack, Member, host, until
from tests.oracles.prometheus import PROMETHEUS, PROMTOOL, Prometheus, check_metrics

SOON = 15
DEPLOY = Path(__file__).parents[2] / "deploy" / "prometheus"
WEB = host("web")
SERVICE = f'service="{WEB}"'


@pytest.fixture(scope="module")
def haystack(fakes: Loop) -> Iterator[Haystack]:
    origin = Origin(fakes, respond(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")).start()
    try:
        with Haystack([Member("web", origin.port)], HAYSTACK_WORKERS="2") as running:
            until(lambda: running.serving("web") == 1, SOON, "the endpoint is not ready")
            yield running
    finally:
        origin.stop()


def get(haystack: Haystack, fields: str = "") -> Response:
    """The answer to a scrape."""
    with Client(haystack.port) as client:
        return client.get("localhost", "/metrics", fields.encode())


def samples(haystack: Haystack) -> dict[str, float]:
    lines = get(haystack).body.decode().splitlines()
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines if not line.startswith("#"))}


def ask(haystack: Haystack, times: int) -> None:
    with Client(haystack.port) as client:
        for _ in range(times):
            assert client.get(WEB, "/").status == 200


def total(found: dict[str, float], family: str, *labels: str) -> float:
    """The sum of those samples of a family that have these labels."""
    return sum(value for name, value in found.items() if name.startswith(family + "{") and all(label in name for label in labels))


def test_each_request_is_counted_once_whichever_worker_had_it(haystack):
    before = samples(haystack)
    for _ in range(8):  # connections, for the kernel to spread
        ask(haystack, 3)
    after = samples(haystack)

    def more(family: str, *labels: str) -> float:
        return total(after, family, *labels) - total(before, family, *labels)

    assert more("haystack_service_requests_total", SERVICE, 'method="GET"', 'code="2xx"') == 24
    assert more("haystack_service_request_duration_seconds_count", SERVICE) == 24
    assert more("haystack_service_request_duration_seconds_bucket", SERVICE, 'le="+Inf"') == 24
    assert more("haystack_endpoint_requests_total", 'code="2xx"') == 24
    assert more("haystack_endpoint_request_duration_seconds_sum") > 0


def test_every_process_is_told_of(haystack):
    found = samples(haystack)
    started = {name: value for name, value in found.items() if name.startswith("process_start_time_seconds")}
    assert set(started) == {f'process_start_time_seconds{{process="{name}"}}' for name in ("control", "worker-0", "worker-1")}
    resident = total(found, "process_resident_memory_bytes", 'process="control"')
    pages = Path(f"/proc/{haystack.process.pid}/statm").read_text().split()[1]
    told = int(pages) * os.sysconf("SC_PAGE_SIZE")
    assert 0.5 < resident / told < 2
    assert total(found, "process_open_fds", 'process="control"') > 5


def test_who_takes_gzip_gets_the_same_page_compressed(haystack):
    answer = get(haystack, "Accept-Encoding: gzip\r\nAccept: application/openmetrics-text\r\n")
    assert answer.get("content-encoding") == "gzip"
    assert (answer.get("content-type") or "").startswith("application/openmetrics-text; version=1.0.0")
    assert gzip.decompress(answer.body).endswith(b"\n# EOF\n")
    assert "accept-encoding" in (answer.get("vary") or "").lower()


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian: prometheus)")
def test_promtool_finds_nothing_in_a_real_page(haystack):
    ask(haystack, 1)
    assert check_metrics(get(haystack).body.decode()) == ""


@pytest.mark.skipif(PROMETHEUS is None, reason="prometheus is not installed (Debian: prometheus)")
def test_a_real_prometheus_scrapes_by_the_configuration_of_deploy(haystack):
    text = (DEPLOY / "prometheus.yml").read_text()
    assert "haystack:80" in text
    own = text.replace("haystack:80", f"127.0.0.1:{haystack.port}").replace("15s", "1s")
    with Prometheus(haystack.port, own, [DEPLOY / "haystack.rules.yml"]) as prometheus:
        until(lambda: prometheus.target().get("health") == "up", SOON, f"it is not scraped: {prometheus.target()}")
        assert prometheus.rules() == set(re.findall(r"- alert: (\w+)", (DEPLOY / "haystack.rules.yml").read_text()))


@pytest.mark.skipif(PROMETHEUS is None, reason="prometheus is not installed (Debian: prometheus)")
def test_a_real_prometheus_reads_it(haystack):
    with Prometheus(haystack.port) as prometheus:
        until(lambda: prometheus.target().get("health") == "up", SOON, f"it is not scraped: {prometheus.target()}")
        before = prometheus.value(f"sum(haystack_service_requests_total{{{SERVICE}}})") or 0
        ask(haystack, 5)
        query = f"sum(haystack_service_requests_total{{{SERVICE}}})"
        until(lambda: (prometheus.value(query) or 0) >= before + 5, SOON, "the requests do not come")
        assert prometheus.value('haystack_source_connected{source=~".*"}') == 1
        assert prometheus.target()["lastError"] == ""
