"""The figures for Prometheus, read off the State at the moment of a scrape.

Never counts anything itself: the workers count, the snapshot knows, and this only names it. So a scrape that nobody
makes costs nothing, and no figure can drift from what the API and the shell show.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import product
from operator import itemgetter
from typing import Generic, TypeVar

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

from haystack import __version__
from haystack.loop.turns import Turns, ordered
from haystack.observe.safe_text import printable
from haystack.proxy.counters import Asked, Place
from haystack.proxy.traffic import ENDS, PEERS
from haystack.tls.certificate import Certificate
from haystack.tls.store import Certificates
from haystack.views import dns_metrics, process_metrics, traffic_metrics
from haystack.views.exposition import END, OPENMETRICS, TEXT, Family, generated
from haystack.views.pieces import ColumnPieces, Columns, Encoded, Pieces
from haystack.views.state import State, word_of
from haystack.views.traffic_metrics import labels

REQUESTS = Family("haystack_requests_total", "counter", "Requests by the name asked for and the endpoint that answered, with its address.")
CERTIFICATES = Family("haystack_certificate_not_after_seconds", "gauge", "Unix time at which a certificate expires, by its first name.")
Count = tuple[Asked, Place, int]
T = TypeVar("T")


class StateCollector(Collector):
    """Names what the State holds. Await State.refresh() first for the workers' newest counters."""

    def __init__(self, state: State) -> None:
        self._state = state

    def collect(self) -> Iterator[Metric]:
        """Every family, in a stable order."""
        yield InfoMetricFamily("haystack_build", "The running version.", value={"version": __version__})
        yield GaugeMetricFamily("haystack_start_time_seconds", "Unix time of the start.", value=self._state.started)
        yield self._errors()
        yield self._handshakes()
        yield from self._picture()
        yield from self._publishing()
        yield from self._sources()
        yield from self._peers()
        yield from self._workers()
        yield from self._processes()
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

    def _handshakes(self) -> Metric:
        family = CounterMetricFamily(
            "haystack_tls_handshakes", "Handshakes of TLS with clients and endpoints, by how they ended.", labels=["peer", "result"]
        )
        for key in product(PEERS, ENDS):
            family.add_metric(key, self._state.proxy.traffic.handshakes[key])
        return family

    def _picture(self) -> Iterator[Metric]:
        snapshot = self._state.snapshot
        yield GaugeMetricFamily("haystack_snapshot_version", "Version of the published snapshot.", value=snapshot.version)
        yield GaugeMetricFamily("haystack_snapshot_created_seconds", "Unix time it was built.", value=snapshot.created)
        yield GaugeMetricFamily("haystack_engines", "Engines known.", value=len(snapshot.engines))
        yield GaugeMetricFamily("haystack_containers", "Containers known.", value=len(snapshot.containers))
        yield GaugeMetricFamily("haystack_services", "Services with endpoints.", value=len(snapshot.services))
        yield GaugeMetricFamily("haystack_problems", "Problems of containers, services and sources.", value=len(snapshot.problems))

    def _publishing(self) -> Iterator[Metric]:
        """How fast what happens is published, and who was put out."""
        publishing = self._state.registry.publishing
        yield _histogram(
            "haystack_snapshot_build_seconds",
            "Time from the beginning of a snapshot's build until all have been told, others' turns included.",
            *publishing.builds.told(),
        )
        yield _histogram(
            "haystack_discovery_lag_seconds",
            "Time from an engine's event, by its clock, until the snapshot with what it changed was published.",
            *publishing.lags.told(),
        )
        family = CounterMetricFamily(
            "haystack_ejections", "Endpoints that were ejected, by service and cause.", labels=["service", "cause"]
        )
        for (service, cause), count in sorted(self._state.ejections.items()):
            family.add_metric([service, cause], count)
        yield family

    def _sources(self) -> Iterator[Metric]:
        family = GaugeMetricFamily("haystack_source_connected", "1 while the source of containers answers.", labels=["source"])
        for name, source in self._state.public_sources():
            family.add_metric([printable(name)], int(source.connected))
        yield family

    def _peers(self) -> Iterator[Metric]:
        up = GaugeMetricFamily("haystack_peer_up", "1 while another Haystack answers, and DNS answers with its address.", labels=["peer"])
        last = GaugeMetricFamily("haystack_peer_answered_seconds", "Unix time of its last answer; 0: there was none.", labels=["peer"])
        for peer in self._state.peers():
            up.add_metric([printable(peer.name)], int(peer.up))
            last.add_metric([printable(peer.name)], peer.answered)
        yield from (up, last)

    def _workers(self) -> Iterator[Metric]:
        workers = self._state.proxy.workers
        family = GaugeMetricFamily("haystack_workers", "HTTP workers by state.", labels=["state"])
        for state, count in sorted(Counter(word_of(worker.state) for worker in workers).items()):
            family.add_metric([state], count)
        yield family
        restarts = CounterMetricFamily("haystack_worker_restarts", "Times that a worker died and was replaced.", labels=["worker"])
        clients = GaugeMetricFamily("haystack_client_connections", "Connections of clients.", labels=["worker"])
        for worker in workers:
            restarts.add_metric([str(worker.slot)], worker.restarts)
            clients.add_metric([str(worker.slot)], worker.clients)
        yield from (restarts, clients)

    def _processes(self) -> Iterator[Metric]:
        pids = [(process_metrics.CONTROL, os.getpid())]
        pids += [("discovery", watching)] if (watching := self._state.discovery()) else []
        pids += [(f"worker-{worker.slot}", worker.pid) for worker in self._state.proxy.workers if worker.pid]
        yield from process_metrics.families(pids)


def _histogram(name: str, text: str, buckets: list[tuple[str, float]], seconds: float) -> Metric:
    family = HistogramMetricFamily(name, text)
    family.add_metric([], buckets, seconds)
    return family


class Exposition:
    """The page of /metrics, in pieces. Written by hand are the families with samples for each endpoint, service or certificate.

    again: it will be asked for again.
    """

    def __init__(self, state: State, *, again: bool = True) -> None:
        self._state = state
        self._registry = CollectorRegistry(auto_describe=False)
        self._registry.register(StateCollector(state))
        self._requests = Pieces(_requests_line, again=again)
        self._services = ColumnPieces(traffic_metrics.service_columns, again=again)
        self._endpoints = ColumnPieces(traffic_metrics.endpoint_columns, again=again)
        self._standings = OfSnapshot(traffic_metrics.standing_columns, again=again)
        self._containers = OfSnapshot(traffic_metrics.container_columns, again=again)
        self._certificates = Pieces(_certificate_line, again=again)

    def pieces(self, form: str = TEXT) -> Turns[list[bytes]]:
        """The whole page in one of exposition.FORMATS, one page at a time. Await State.refresh() first for the workers' newest counters."""
        snapshot, traffic = self._state.snapshot, self._state.proxy.traffic
        counts = []
        for asked, found in list(self._state.proxy.requests.items()):
            counts.append((asked, dict(found)))
            yield
        few = generated(self._registry, form)
        yield
        made = [few, REQUESTS.head(form), *(yield from self._requests.of(_requests(counts), 0))]
        made += [CERTIFICATES.head(form), *(yield from self._certificates.of(_certificates(self._state.certificates.picture), 0))]
        for families, rows in (
            (traffic_metrics.STANDING_FAMILIES, self._standings.of(snapshot.services)),
            (traffic_metrics.SERVICE_FAMILIES, self._services.of(traffic_metrics.services(traffic), 0)),
            (traffic_metrics.ENDPOINT_FAMILIES, self._endpoints.of(traffic_metrics.endpoints(traffic), 0)),
            (traffic_metrics.CONTAINER_FAMILIES, self._containers.of(snapshot.containers)),
        ):
            columns = yield from rows
            yield
            made += under(families, form, columns)
            yield
        return [*made, END] if form == OPENMETRICS else made


class OfSnapshot(Generic[T]):
    """Pieces of what only another snapshot changes: not even looked at while there is none."""

    def __init__(self, write: Callable[[str, T, float], Columns], *, again: bool) -> None:
        self._pieces = ColumnPieces(write, again=again)
        self._seen: Mapping[str, T] | None = None
        self._rows: list[Encoded] = []

    def of(self, items: Mapping[str, T]) -> Turns[list[Encoded]]:
        """All of them, by their keys."""
        if items is not self._seen:
            self._rows = yield from self._pieces.of((yield from ordered(items.items(), itemgetter(0))), 0)
            self._seen = items
        return self._rows


def under(families: Iterable[Family], form: str, rows: list[Encoded]) -> Iterator[bytes]:
    """All samples of one family below its head, then those of the next."""
    for at, family in enumerate(families):
        yield family.head(form)
        yield from (columns[at] for columns in rows if columns[at])


def _requests(counts: Iterable[tuple[Asked, Mapping[Place, int]]]) -> Iterator[tuple[str, Count]]:
    for asked, found in counts:
        name = f"{asked} "
        yield from ((name + place.id + place.address, (asked, place, number)) for place, number in found.items())


def _requests_line(_key: str, count: Count, _now: float) -> bytes:
    (host, port), place, number = count
    address = f"[{place.address}]" if ":" in place.address else place.address
    who = {"endpoint": place.id, "container": place.id.partition(":")[0], "address": f"{address}:{place.port}"}
    told = labels(host=host, port=str(port), **who)
    return f"haystack_requests_total{{{told}}} {float(number)}\n".encode()


def _certificates(picture: Certificates) -> Iterator[tuple[str, Certificate]]:
    for key, entry in picture.entries.items():
        if entry.certificate is not None:
            yield " ".join(key), entry.certificate


def _certificate_line(key: str, certificate: Certificate, _now: float) -> bytes:
    source, _, own = key.partition(" ")
    told = labels(key=own, name=certificate.names[0], source=source)
    return f"haystack_certificate_not_after_seconds{{{told}}} {float(certificate.not_after)}\n".encode()
