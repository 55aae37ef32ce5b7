"""Families of /metrics that have samples for each service and each endpoint with traffic, written by hand and in pieces (pieces.py).

An endpoint is named by its id, which is its container's and its port's, whatever address it has. Never counts anything itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from itertools import accumulate

from haystack.model.durations import EDGES
from haystack.model.readiness import serving
from haystack.model.records import Container
from haystack.model.services import Service
from haystack.observe.safe_text import printable
from haystack.proxy.traffic import CLASSES, IDLE, METHODS, Figures, ServiceFigures, Traffic
from haystack.views.exposition import Family
from haystack.views.pieces import Columns

BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)  # seconds
LAST_SLOTS = tuple(EDGES.index(round(bound * 1e9)) for bound in BOUNDS)  # the slot below each bound
FAILURES = (
    "none",
    "5xx",
)  # told as 0 too: for Prometheus a series begins to grow with its second value, and the first failures would count for nothing
NONE = Figures()
KEPT = 32_768  # names whose labels are remembered

SERVICE_FAMILIES = (
    Family("haystack_service_requests_total", "counter", "Requests to a service by method and class of status (none: no answer)."),
    Family("haystack_service_request_duration_seconds", "histogram", "Time from a request's head to the end of its answer."),
    Family("haystack_service_received_bytes_total", "counter", "Bytes of request bodies."),
    Family("haystack_service_sent_bytes_total", "counter", "Bytes of response bodies."),
    Family("haystack_service_retries_total", "counter", "Times that a request was sent to another endpoint, or again."),
    Family("haystack_service_queue_wait_seconds", "summary", "Time that requests have waited for an endpoint, of those that had to."),
    Family("haystack_service_queue_length", "gauge", "Requests that wait for an endpoint."),
)
ENDPOINT_FAMILIES = (
    Family("haystack_endpoint_requests_total", "counter", "Requests that an endpoint had, by class of status (none: no answer)."),
    Family("haystack_endpoint_request_duration_seconds", "summary", "Time from a request's head to the end of its answer."),
    Family("haystack_endpoint_received_bytes_total", "counter", "Bytes of request bodies."),
    Family("haystack_endpoint_sent_bytes_total", "counter", "Bytes of response bodies."),
    Family("haystack_endpoint_retries_total", "counter", "Tries at an endpoint after which another one was looked for."),
    Family("haystack_endpoint_requests_in_flight", "gauge", "Requests that an endpoint has now."),
    Family("haystack_endpoint_pooled_connections", "gauge", "Idle connections to an endpoint."),
)
STANDING_FAMILIES = (
    Family("haystack_endpoints", "gauge", "Endpoints of a service, ready or not."),
    Family("haystack_endpoints_unready", "gauge", "Endpoints of a service that are not ready, by cause."),
    Family("haystack_endpoints_panicked", "gauge", "Endpoints of a service that are ready by panic alone, though unwell, by cause."),
)
CONTAINER_FAMILIES = (Family("haystack_container_info", "gauge", "1 for each container, with its name and image."),)


# Plain tuples, which the search for garbage leaves alone: how often the figures have changed (they are the same object from page to page),
# what goes on, and they themselves.
ServiceItem = tuple[int, int, ServiceFigures]  # waiting
EndpointItem = tuple[int, int, int, Figures]  # in flight, pooled


def escaped(text: str) -> str:
    """A label value in the text formats, which the shell shows on a terminal too: names and images are others' text."""
    return printable(text).replace("\\", "\\\\").replace('"', '\\"')


def labels(**told: str) -> str:
    """Labels as they stand between the braces."""
    return ",".join(f'{key}="{escaped(text)}"' for key, text in told.items())


@lru_cache(KEPT)
def _service(name: str) -> str:
    """Its label, escaped once and not for every scrape."""
    return labels(service=name)


@lru_cache(KEPT)
def _endpoint(identity: str) -> str:
    """Its labels."""
    return labels(endpoint=identity, container=identity.partition(":")[0])


def services(traffic: Traffic) -> Iterator[tuple[str, ServiceItem]]:
    """Those with figures."""
    for name in list(traffic.services):
        if (figures := traffic.services.get(name)) is not None:  # it may leave before its turn comes
            yield name, (figures.changes, traffic.waiting.get(name, 0), figures)


def service_columns(name: str, item: ServiceItem, _now: float) -> Columns:
    """A service's samples, by family."""
    who, (_, waiting, figures) = _service(name), item
    return (
        "".join(_cells(who, figures)),
        "".join(_histogram("haystack_service_request_duration_seconds", who, figures)),
        f"haystack_service_received_bytes_total{{{who}}} {figures.received}\n",
        f"haystack_service_sent_bytes_total{{{who}}} {figures.sent}\n",
        f"haystack_service_retries_total{{{who}}} {figures.retries}\n",
        _summary("haystack_service_queue_wait_seconds", who, figures.waited, figures.waits),
        f"haystack_service_queue_length{{{who}}} {waiting}\n",
    )


def _cells(who: str, figures: ServiceFigures) -> Iterator[str]:
    for at, method in enumerate(METHODS):
        counts = figures.cells[at * len(CLASSES) : (at + 1) * len(CLASSES)]
        for code, count in zip(CLASSES, counts, strict=True) if any(counts) else ():
            if count or code in FAILURES:
                yield f'haystack_service_requests_total{{{who},method="{method}",code="{code}"}} {count}\n'


def _histogram(name: str, who: str, figures: Figures) -> Iterator[str]:
    sums = list(accumulate(figures.durations))
    for bound, slot in zip(BOUNDS, LAST_SLOTS, strict=True):
        yield f'{name}_bucket{{{who},le="{bound}"}} {sums[slot]}\n'
    yield f'{name}_bucket{{{who},le="+Inf"}} {sums[-1]}\n'
    yield f"{name}_sum{{{who}}} {figures.seconds:.9g}\n"
    yield f"{name}_count{{{who}}} {sums[-1]}\n"


def _summary(name: str, who: str, seconds: float, count: int) -> str:
    return f"{name}_sum{{{who}}} {seconds:.9g}\n{name}_count{{{who}}} {count}\n"


def endpoints(traffic: Traffic) -> Iterator[tuple[str, EndpointItem]]:
    """Those with figures, and those where something goes on."""
    loads = traffic.loads
    for identity in list(traffic.endpoints):
        figures, now = traffic.endpoints.get(identity, NONE), loads.get(identity, IDLE)
        yield identity, (figures.changes, now.in_flight, now.pooled, figures)
    for identity in sorted(loads.keys() - traffic.endpoints.keys()):
        now = loads.get(identity, IDLE)
        yield identity, (0, now.in_flight, now.pooled, NONE)


def endpoint_columns(identity: str, item: EndpointItem, _now: float) -> Columns:
    """An endpoint's samples, by family."""
    _, in_flight, pooled, figures = item
    who = _endpoint(identity)
    requests = [
        f'haystack_endpoint_requests_total{{{who},code="{code}"}} {count}\n'
        for code, count in zip(CLASSES, figures.classes, strict=True)
        if count
    ]
    return (
        "".join(requests),
        _summary("haystack_endpoint_request_duration_seconds", who, figures.seconds, figures.timed),
        f"haystack_endpoint_received_bytes_total{{{who}}} {figures.received}\n",
        f"haystack_endpoint_sent_bytes_total{{{who}}} {figures.sent}\n",
        f"haystack_endpoint_retries_total{{{who}}} {figures.retries}\n",
        f"haystack_endpoint_requests_in_flight{{{who}}} {in_flight}\n",
        f"haystack_endpoint_pooled_connections{{{who}}} {pooled}\n",
    )


def standing_columns(name: str, service: Service, _now: float) -> Columns:
    """How a service's endpoints are, of those that count."""
    who, counting = labels(service=name), serving(service)
    out = Counter(endpoint.cause.name.lower() for endpoint in counting if not endpoint.ready)
    panicked = Counter(endpoint.cause.name.lower() for endpoint in counting if endpoint.panicked)
    ready = len(counting) - out.total()
    return (
        f'haystack_endpoints{{ready="true",{who}}} {ready:.1f}\nhaystack_endpoints{{ready="false",{who}}} {out.total():.1f}\n',
        "".join(f'haystack_endpoints_unready{{{who},cause="{cause}"}} {count}\n' for cause, count in sorted(out.items())),
        "".join(f'haystack_endpoints_panicked{{{who},cause="{cause}"}} {count}\n' for cause, count in sorted(panicked.items())),
    )


def container_columns(_identity: str, container: Container, _now: float) -> Columns:
    """What a container's short id stands for."""
    who = labels(container=container.short_id, name=container.name, image=container.image)
    return (f"haystack_container_info{{{who}}} 1\n",)
