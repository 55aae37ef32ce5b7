"""The figures for Prometheus, read off the State at the moment of a scrape.

Never counts anything itself: the workers count, the snapshot knows, and this only names it. So a scrape that nobody
makes costs nothing, and no figure can drift from what the API and the shell show.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from haystack import __version__
from haystack.loop.turns import Turns
from haystack.model.records import Service
from haystack.proxy.counters import Asked, Place
from haystack.tls.certificates import Certificate
from haystack.tls.store import Certificates
from haystack.views import dns_metrics
from haystack.views.pieces import Pieces
from haystack.views.state import State, word_of

CONTENT_TYPE = CONTENT_TYPE_LATEST
REQUESTS = b"""# HELP haystack_requests_total Requests by the name asked for and the endpoint that answered, with its container.
# TYPE haystack_requests_total counter
"""
ENDPOINTS = b"""# HELP haystack_endpoints Endpoints of a service, ready or not.
# TYPE haystack_endpoints gauge
"""
CERTIFICATES = b"""# HELP haystack_certificate_not_after_seconds Unix time at which a certificate expires, by its first name.
# TYPE haystack_certificate_not_after_seconds gauge
"""
Count = tuple[Asked, Place, int]


class StateCollector(Collector):
    """Names what the State holds. Await State.refresh() first for the workers' newest counters."""

    def __init__(self, state: State) -> None:
        self._state = state

    def collect(self) -> Iterator[Metric]:
        """Every family, in a stable order."""
        yield gauge("haystack_build_info", "The running version.", {"version": __version__}, 1)
        yield GaugeMetricFamily("haystack_start_time_seconds", "Unix time of the start.", value=self._state.started)
        yield self._errors()
        yield from self._picture()
        yield from self._sources()
        yield self._workers()
        yield from dns_metrics.families(self._state.proxy.dns_counts, self._state.responder.figures())

    def _errors(self) -> Metric:
        family = CounterMetricFamily(
            "haystack_errors",
            "Requests that ended in an error, by error type (RFC 9209) and status (0: none).",
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
        yield GaugeMetricFamily("haystack_problems", "Problems of containers, services and sources.", value=len(snapshot.problems))

    def _sources(self) -> Iterator[Metric]:
        family = GaugeMetricFamily("haystack_source_connected", "1 while the source of containers answers.", labels=["source"])
        for name, source in self._state.public_sources():
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


def line(name: str, value: float, /, **labels: str) -> str:
    """A sample as generate_latest writes it."""
    told = ",".join(f'{key}="{escaped(text)}"' for key, text in labels.items())
    return f"{name}{{{told}}} {float(value)}\n"


def escaped(text: str) -> str:
    """A label value in the text format."""
    return legible(text).replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


class Exposition:
    """The page of /metrics, in pieces. Written by hand are the families with samples for each endpoint, service or certificate.

    again: it will be asked for again.
    """

    def __init__(self, state: State, *, again: bool = True) -> None:
        self._state = state
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(StateCollector(state))
        self._requests = Pieces(_requests_line, again=again)
        self._endpoints = Pieces(_endpoint_lines, again=again)
        self._certificates = Pieces(_certificate_line, again=again)

    def pieces(self) -> Turns[list[bytes]]:
        """The whole page. Await State.refresh() first for the workers' newest counters."""
        services = self._state.snapshot.services
        counts = []
        for asked, found in list(self._state.proxy.requests.items()):
            counts.append((asked, dict(found)))
            yield
        few = bytes(generate_latest(self._registry))
        yield
        requests = yield from self._requests.of(_requests(counts), 0)
        endpoints = yield from self._endpoints.of(_endpoints(services), 0)
        certificates = yield from self._certificates.of(_certificates(self._state.certificates.picture), 0)
        return [few, REQUESTS, *requests, ENDPOINTS, *endpoints, CERTIFICATES, *certificates]


def _requests(counts: Iterable[tuple[Asked, Mapping[Place, int]]]) -> Iterator[tuple[str, Count]]:
    for asked, found in counts:
        yield from ((f"{asked} {place.id} {place.address}:{place.port}", (asked, place, number)) for place, number in found.items())


def _requests_line(_key: str, count: Count, _now: float) -> bytes:
    (host, port), place, number = count
    labels = {"container": place.id.partition(":")[0], "endpoint": f"{place.address}:{place.port}", "host": host, "port": str(port)}
    return line("haystack_requests_total", number, **labels).encode()


def _endpoints(services: Mapping[str, Service]) -> Iterator[tuple[str, tuple[int, int]]]:
    for name, service in sorted(services.items()):
        ready = sum(endpoint.ready for endpoint in service.endpoints)
        yield name, (ready, len(service.endpoints) - ready)


def _certificates(picture: Certificates) -> Iterator[tuple[str, Certificate]]:
    for key, entry in picture.entries.items():
        if entry.certificate is not None:
            yield " ".join(key), entry.certificate


def _certificate_line(key: str, certificate: Certificate, _now: float) -> bytes:
    source, _, own = key.partition(" ")
    labels = {"key": own, "name": certificate.names[0], "source": source}
    return line("haystack_certificate_not_after_seconds", certificate.not_after, **labels).encode()


def _endpoint_lines(name: str, figures: tuple[int, int], _now: float) -> bytes:
    told = zip(("true", "false"), figures, strict=True)
    return "".join(line("haystack_endpoints", number, ready=ready, service=name) for ready, number in told).encode()
