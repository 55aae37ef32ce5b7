"""Where an endpoint is reached: at its container's address, or, of a container on another host, at a port published there.

Where something may be in between, connecting tells (admission.py); where the address is certainly another's here, it is never asked.
"""

from __future__ import annotations

from msgspec.structs import replace

from haystack.health import probe
from haystack.health.admission import Arrivals
from haystack.health.probe import Probe
from haystack.model.records import Container, Published
from haystack.model.services import Endpoint


def published(container: Container, number: int, protocol: str) -> Published | None:
    """Where else a port of a container can be reached, if anywhere."""
    return next((p for p in container.published if (p.port, p.protocol) == (number, protocol)), None)


def place(arrivals: Arrivals, container: Container, endpoint: Endpoint) -> Published | None:
    """Where an endpoint is reached, if not at its own address: where that is another's, or where nobody answers there."""
    if container.obstacle is None or not container.published:
        return None
    return published(container, endpoint.port, endpoint.protocol) if container.obstacle.certain else arrivals.place(endpoint.id)


def probe_of(arrivals: Arrivals, container: Container, endpoint: Endpoint) -> Probe | None:
    """The probe that its labels ask for, at that place; a port that is not published there is asked at the container's address."""
    asked = probe.of(container.options, endpoint)
    if asked is None or place(arrivals, container, endpoint) is None:
        return asked
    there = published(container, asked.port, "tcp")
    return asked if there is None else replace(asked, address=there.address, port=there.host_port)


def is_doubtful(container: Container) -> bool:
    """Whether it has to show itself although it ran before: its address may lead to another one, or nowhere."""
    return container.obstacle is not None and (container.obstacle.certain or container.remote or bool(container.published))
