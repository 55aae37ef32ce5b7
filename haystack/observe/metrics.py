"""The figures for Prometheus, read off the State at the moment of a scrape.

Never counts anything itself: the workers count, the snapshot knows, and this only names it. So a scrape that nobody
makes costs nothing, and no figure can drift from what the API and the shell show.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from haystack import __version__
from haystack.state import State, word_of

CONTENT_TYPE = CONTENT_TYPE_LATEST


class StateCollector(Collector):
    """Names what the State holds. Await State.refresh() first for the workers' newest counters."""

    def __init__(self, state: State) -> None:
        self._state = state

    def collect(self) -> Iterator[Metric]:
        """Every family, in a stable order."""
        yield gauge("haystack_build_info", "The version that runs.", {"version": __version__}, 1)
        yield GaugeMetricFamily("haystack_start_time_seconds", "Unix time of the start.", value=self._state.started)
        yield self._requests()
        yield self._errors()
        yield from self._picture()
        yield from self._sources()
        yield self._workers()

    def _requests(self) -> Metric:
        family = CounterMetricFamily(
            "haystack_requests", "Requests by the name asked for and the endpoint that answered.", labels=["host", "port", "endpoint"]
        )
        for (host, port), endpoints in self._state.proxy.requests.items():
            for (address, number), count in endpoints.items():
                family.add_metric([legible(host), str(port), f"{address}:{number}"], count)
        return family

    def _errors(self) -> Metric:
        family = CounterMetricFamily(
            "haystack_errors",
            "Exchanges that ended in an error: RFC 9209's word, and the status (0: none).",
            labels=["error", "status"],
        )
        for (word, status), count in sorted(self._state.proxy.errors.items()):
            family.add_metric([word, str(status)], count)
        return family

    def _picture(self) -> Iterator[Metric]:
        snapshot = self._state.snapshot
        yield GaugeMetricFamily("haystack_snapshot_version", "Version of the published snapshot.", value=snapshot.version)
        yield GaugeMetricFamily("haystack_snapshot_created_seconds", "Unix time it was built.", value=snapshot.created)
        yield GaugeMetricFamily("haystack_engines", "Engines known.", value=len(snapshot.engines))
        yield GaugeMetricFamily("haystack_containers", "Containers known.", value=len(snapshot.containers))
        yield GaugeMetricFamily("haystack_services", "Services with endpoints.", value=len(snapshot.services))
        yield GaugeMetricFamily("haystack_problems", "Odd things that were ignored.", value=len(snapshot.problems))
        family = GaugeMetricFamily("haystack_endpoints", "Endpoints of a service, ready or not.", labels=["service", "ready"])
        for name, service in sorted(snapshot.services.items()):
            ready = sum(endpoint.ready for endpoint in service.endpoints)
            family.add_metric([legible(name), "true"], ready)
            family.add_metric([legible(name), "false"], len(service.endpoints) - ready)
        yield family

    def _sources(self) -> Iterator[Metric]:
        family = GaugeMetricFamily("haystack_source_connected", "1 while the source of containers answers.", labels=["source"])
        for name, source in sorted(self._state.registry.sources.items()):
            family.add_metric([legible(name)], int(source.connected))
        yield family

    def _workers(self) -> Metric:
        family = GaugeMetricFamily("haystack_workers", "HTTP workers by state.", labels=["state"])
        for state, count in sorted(Counter(word_of(worker.state) for worker in self._state.proxy.workers).items()):
            family.add_metric([state], count)
        return family


def gauge(name: str, text: str, labels: dict[str, str], value: float) -> Metric:
    """A family of one labelled value."""
    family = GaugeMetricFamily(name, text, labels=list(labels))
    family.add_metric(list(labels.values()), value)
    return family


def legible(text: str) -> str:
    """A label value that UTF-8 can hold: a request's Host may carry bytes that are not."""
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def exposition(state: State) -> bytes:
    """The page of /metrics."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(StateCollector(state))
    return bytes(generate_latest(registry))
