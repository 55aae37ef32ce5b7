"""The long bodies of the web side: each page's pieces, made in turns; what has not changed since the last making is not written again.

Every body is of one snapshot. Endpoints are written one by one, for a service may have all there are. Never decides when a body is made.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Generic, TypeVar

from msgspec import Struct

from haystack.loop.turns import Turns
from haystack.model.records import Container, Network, Problem
from haystack.model.services import Endpoint
from haystack.tls.store import Entry
from haystack.views import certificates, live, shapes
from haystack.views.pieces import Pieces, framed
from haystack.views.shapes import Membership
from haystack.views.state import Picture, State

T = TypeVar("T")
Body = list[bytes]


class Grouped(Struct, Generic[T], frozen=True, gc=False):
    """One of those that stand together under a key. opens: the key, at the first of them; closes: it is the last."""

    opens: str | None
    closes: bool
    inner: T


class Bodies:
    """Over one state. Ask for one body of a kind at a time: each goes on from the one before."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._containers = Pieces(self._container)
        self._networks = Pieces(_network)
        self._services = Pieces(self._service, shapes.ages)
        self._by_address = Pieces(self._addressed, lambda each: shapes.ages(each.inner))
        self._requests = Pieces(_count)
        self._endpoints = Pieces(_count)
        self._problems = Pieces(self._problem)
        self._certificates = Pieces(_certificate)

    def containers(self) -> Turns[Body]:
        """/api/containers: full id → container."""
        return framed(b"{", (yield from self._containers.of(self._state.snapshot.containers.items(), 0)), b"}")

    def networks(self) -> Turns[Body]:
        """/api/networks: id → network."""
        return framed(b"{", (yield from self._networks.of(self._state.snapshot.networks.items(), 0)), b"}")

    def services(self) -> Turns[Body]:
        """/api/services: one object an endpoint, by service name and then in the service's own order."""
        keyed = ((f"{each.name} {each.endpoint.id}", each) for each in shapes.memberships(self._state.snapshot))
        return framed(b"[", (yield from self._services.of(keyed, time.time())), b"]")

    def certificates(self) -> Turns[Body]:
        """/api/certificates: one object a certificate, and one a name that has none yet, though it should."""
        keyed = ((" ".join(key), entry) for key, entry in certificates.entries(self._state.certificates.picture))
        return framed(b"[", (yield from self._certificates.of(keyed, 0)), b"]")

    def info(self) -> Turns[Body]:
        """/api/info: everything at once. Await State.refresh() first for the newest counters."""
        snapshot, now, counts = self._state.snapshot, time.time(), []
        for asked, found in list(self._state.proxy.requests.items()):
            counts.append((shapes.url("tcp", *asked), dict(found)))
            yield
        body = [shapes.encode(shapes.summary(self._state, snapshot))[:-1]]
        body += framed(b',"containers":{', (yield from self._containers.of(snapshot.containers.items(), now)), b"}")
        body += framed(b',"networks":{', (yield from self._networks.of(snapshot.networks.items(), now)), b"}")
        body += framed(b',"services":{', (yield from self._by_address.of(_addresses(snapshot), now)), b"}")
        by_address = ((asked, shapes.requests(found)) for asked, found in counts)
        body += framed(b',"proxy":{"requests":{', (yield from self._requests.of(_nested(by_address), now)), b"}")
        by_endpoint = ((asked, shapes.endpoint_requests(found)) for asked, found in counts)
        body += framed(b',"endpoints":{', (yield from self._endpoints.of(_nested(by_endpoint), now)), b"}}")
        body += framed(b',"problems":[', (yield from self._problems.of(snapshot.problems, now)), b"]}")
        return body

    def _container(self, key: str, container: Container, _now: float) -> bytes:
        return _member(key, shapes.container_shape(self._state.snapshot.origin, container))

    def _service(self, _key: str, membership: Membership, now: float) -> bytes:
        return b"," + shapes.encode(shapes.service_shape(membership, shapes.ttl_of(self._state), now))

    def _problem(self, about: str, problem: Problem, _now: float) -> bytes:
        return b"," + shapes.encode({"about": live.known_as(self._state, about), "subject": problem.subject, "message": problem.message})

    def _addressed(self, _key: str, each: Grouped[Membership], now: float) -> bytes:
        return _in_group(each, shapes.encode(shapes.service_shape(each.inner, shapes.ttl_of(self._state), now)), b"[]")


def _addresses(snapshot: Picture) -> Iterator[tuple[str, Grouped[Membership]]]:
    """The same by ``tcp://NAME:PORT``. Each membership is made when it is asked for: a service may have thousands."""
    for name, service in sorted(snapshot.services.items()):
        found: dict[tuple[str, int], list[Endpoint]] = {}
        for endpoint in service.endpoints:
            found.setdefault((endpoint.protocol, endpoint.port), []).append(endpoint)
        member = shapes.member_of(snapshot, service)
        for (protocol, port), together in found.items():
            whole = shapes.url(protocol, name, port)
            members = _grouped(whole, map(member, together), len(together))
            yield from ((f"{whole} {each.inner.endpoint.id}", each) for each in members)


def _nested(counts: Iterable[tuple[str, Mapping[str, int]]]) -> Iterator[tuple[str, Grouped[tuple[str, int]]]]:
    for asked, found in counts:
        yield from ((f"{asked} {each.inner[0]}", each) for each in _grouped(asked, found.items(), len(found)))


def _grouped(key: str, members: Iterable[T], count: int) -> Iterator[Grouped[T]]:
    last = count - 1
    return (Grouped(None if at else key, at == last, member) for at, member in enumerate(members))


def _in_group(each: Grouped[T], written: bytes, brackets: bytes) -> bytes:
    """What is written of one, with the beginning and end of its group where it is the first or last."""
    before = b"," if each.opens is None else b"," + shapes.encode(each.opens) + b":" + brackets[:1]
    return before + written + (brackets[1:] if each.closes else b"")


def _member(key: str, shape: object) -> bytes:
    return b"," + shapes.encode(key) + b":" + shapes.encode(shape)


def _network(key: str, network: Network, _now: float) -> bytes:
    return _member(key, shapes.network_shape(network))


def _certificate(_key: str, entry: Entry, _now: float) -> bytes:
    return b"," + shapes.encode(certificates.shape(entry))


def _count(_key: str, each: Grouped[tuple[str, int]], _now: float) -> bytes:
    place, number = each.inner
    return _in_group(each, shapes.encode(place) + b":%d" % number, b"{}")
