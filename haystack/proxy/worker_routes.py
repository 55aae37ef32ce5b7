"""A worker's routes: takes in what the control process tells of services, and keeps the router's rules in step.

The one place where endpoints and members are kept, found again by their keys: load, pools and counters outlive a change of the table. Costs
what has changed, not what there is, for the worker carries traffic meanwhile. Never touches a socket.
"""

from __future__ import annotations

import time
from bisect import insort
from collections.abc import Callable, Collection, Iterable, Iterator
from itertools import chain
from typing import NamedTuple

from haystack._fast.balance import pickers
from haystack._fast.endpoint.endpoint import Endpoint, Member, Route
from haystack._fast.net.tls_client import TlsClient
from haystack._fast.routing.router import Router
from haystack.catalog.claims import ALL, rank
from haystack.model.records import ConnectionOptions
from haystack.net.rights import Right
from haystack.proxy.via import pseudonym
from haystack.routing.rows import EndpointRow, ServiceRow, Table

Spot = tuple[str, str, int]  # an endpoint's id, address and port
Place = tuple[str, int, str, str, int]  # row's key, listener's port, spot
Claim = tuple[bytes, bytes]  # host, path
Rank = tuple[bool, str, str]  # as claims.py has it, and the row's key
ITSELF: Rank = (False, "", "")  # before every service
PROOFS: Rank = (False, "", "\0proofs")  # the same
OWN = {ITSELF[2], PROOFS[2]}
CHALLENGES = b"/.well-known/acme-challenge/"  # RFC 8555, section 8.3


def plain(_connection: ConnectionOptions) -> None:
    """No endpoint is spoken to within TLS."""


class Served(NamedTuple):
    """What a row has in the router, for the next change of it."""

    routes: tuple[Route, ...]
    places: frozenset[Place]
    claims: dict[Claim, Rank]
    limited: bool = False
    awaited: bool = False


class Routes:
    """ports: of the listeners by index; workers: that share an endpoint's max_connections. The rules go into `router`.

    instance: what tells this Haystack from others in Via; empty: it is not told. client: how an endpoint is spoken to within TLS.
    secure: the port of the https listener; 0: there is none.
    """

    def __init__(
        self,
        ports: tuple[int, ...],
        router: Router,
        workers: int = 1,
        instance: str = "",
        client: Callable[[ConnectionOptions], TlsClient | None] = plain,
        secure: int = 0,
    ) -> None:
        self._client = client
        self._instance = instance
        self._secure = secure
        self._passing = Router()
        self._workers = workers
        self._ports = ports
        self._router = router
        self._rows: dict[str, Served] = {}
        self._own: frozenset[bytes] = frozenset()
        self._claims: dict[Claim, list[Rank]] = {}
        self._given_up: list[tuple[Claim, Rank]] = []
        self._endpoints: dict[Spot, Endpoint] = {}
        self._users: dict[Spot, int] = {}
        self._members: dict[Place, Member] = {}
        self._leaving: dict[Place, Member] = {}
        self._draining: dict[Spot, Endpoint] = {}
        self._spent: set[Spot] = (
            set()
        )  # of these: those with nothing in flight, found so the last time; the word that they were told to stop may come late

    def add_itself(self, route: Route, hosts: tuple[str, ...], health: Route | None = None) -> None:
        """Lead these hosts, which no service gets, and bare addresses to Haystack's own web side. health: as in Router.fall_back."""
        self._own = frozenset(host.encode() for host in hosts)
        claims: dict[Claim, Rank] = {(host, b"/"): ITSELF for host in self._own}
        self._rows[ITSELF[2]] = Served((route,) * len(self._ports), frozenset(), claims)
        self._router.fall_back(route, health)
        for claim in claims:
            self._claim(claim, ITSELF)

    def add_proofs(self, route: Route) -> None:
        """Where who looks for a pending challenge is led."""
        self._rows[PROOFS[2]] = Served((route,) * len(self._ports), frozenset(), {})

    def prove(self, pending: Iterable[tuple[str, str]]) -> None:
        """These challenges are pending, and no others: (host, token)."""
        old = self._rows[PROOFS[2]]
        claims: dict[Claim, Rank] = {(host.encode(), CHALLENGES + token.encode()): PROOFS for host, token in pending}
        self._rows[PROOFS[2]] = old._replace(claims=claims)
        for claim in claims.keys() - old.claims.keys():
            self._claim(claim, PROOFS)
        for claim in old.claims.keys() - claims.keys():
            self._give_up(claim, PROOFS)

    def apply(self, table: Table) -> None:
        """Take in a part. What is not in the table any more drains.

        A host that passes from one service to another is never nobody's: claims are given up when the last part is in.
        """
        removed = set(table.removed)
        if table.whole:
            removed = self._rows.keys() - {row.key for row in table.services} - OWN
        for row in table.services:
            self._serve(row)
        for key in removed & self._rows.keys():
            old = self._rows[key]
            self._leave(old.places)
            self._given_up += old.claims.items()
        if table.last:
            for claim, ranked in self._given_up:
                self._give_up(claim, ranked)
            self._given_up.clear()
            for key in removed & self._rows.keys():
                for route in self._rows.pop(key).routes:
                    route.end()

    def endpoints(self, spots: Iterable[Spot]) -> set[Endpoint]:
        """The endpoints of these endpoints, as far as they are known."""
        found = (self._endpoints.get(spot) or self._draining.get(spot) for spot in spots)
        return {endpoint for endpoint in found if endpoint is not None}

    def known(self, ids: Collection[str]) -> Iterator[Endpoint]:
        """Those with these ids, of all that are in the table or drain; without ids: all."""
        for spot, endpoint in chain(self._endpoints.items(), self._draining.items()):
            if not ids or spot[0] in ids:
                yield endpoint

    def forget_drained(self) -> list[Member]:
        """Let go of what left the table and has nothing in flight any more: those members."""
        gone = [place for place, member in self._leaving.items() if not member.endpoint.in_flight]
        forgotten = [self._leaving.pop(place) for place in gone]
        spent = {spot for spot, endpoint in self._draining.items() if not endpoint.worth_keeping}
        for spot in spent & self._spent:
            del self._draining[spot]
        self._spent = spent
        return forgotten

    def _serve(self, row: ServiceRow) -> None:
        """Put a new or changed row in the place of the old one."""
        old = self._rows.get(row.key)
        places = [self._places(row, index) for index in range(1 if row.path == ALL else len(self._ports))]
        routes = tuple(self._route(row, index, of, old) for index, of in enumerate(places))
        hosts = ((host, host.encode()) for host in row.hosts)
        claims = {(name, row.path.encode()): (*rank(row.name, host), row.key) for host, name in hosts if name not in self._own}
        limited = bool(row.options.max_connections)
        new = self._rows[row.key] = Served(routes, frozenset(place for of in places for place in of), claims, limited, row.awaited)
        for claim, ranked in claims.items():
            self._claim(claim, ranked)
        if old is not None:
            self._leave(old.places - new.places)
            self._given_up += old.claims.items() - claims.items()

    def _places(self, row: ServiceRow, index: int) -> list[Place]:
        port = self._secure if row.path == ALL else self._ports[index]
        return [(row.key, port, e.id, e.address, e.port) for e in _endpoints(row, index)]

    def _route(self, row: ServiceRow, index: int, places: list[Place], old: Served | None) -> Route:
        """A route for one listener; its picker goes on where that of the old route is."""
        endpoints = _endpoints(row, index)
        members = [self._member(row.name, place, e) for place, e in zip(places, endpoints, strict=True)]
        weights = [e.weight for e in endpoints]
        picker = pickers.make(row.options.balance or "", members, weights, old.routes[index].picker if old else None)
        queue = old.routes[index].queue if old else None
        via = pseudonym(self._instance, row.key) if self._instance else ""
        route = Route(row.name, picker, row.options, queue=queue, path=row.path, via=via)
        route.why, route.since, route.mute = row.why, row.since, row.mute
        route.guard = 0 if row.public else Right.INSIDE
        lost = old is not None and old.routes[index].members
        if not members and (lost or (row.awaited and not (old is not None and old.awaited))):
            route.queue.empty_since = int(time.monotonic() * 1000)
        most = row.options.max_connections
        if most or (old and old.limited):
            limit = max(1, most // self._workers) if most else 0
            for place, member in zip(places, members, strict=True):
                member.endpoint.hold(place[:2], limit)
        route.queue.wake_all()
        return route

    def _member(self, service: str, place: Place, row: EndpointRow) -> Member:
        """The member of a place. A draining member that comes back stays the same, as does its endpoint; a new process has no faults."""
        member = self._members.get(place)
        if member is None:
            spot = place[2:]
            endpoint = self._endpoints.get(spot) or self._draining.pop(spot, None) or Endpoint(spot[0], spot[1:])
            endpoint.retire(False)
            self._endpoints[spot] = endpoint
            self._users[spot] = self._users.get(spot, 0) + 1
            back = self._leaving.pop(place, None)
            member = self._members[place] = back or Member(endpoint, service, place[1])
        if member.endpoint.born != row.born:
            member.endpoint.begin(row.born)
        member.endpoint.use(row.connection, self._client(row.connection))
        return member

    def _leave(self, places: frozenset[Place]) -> None:
        """Let members drain, and each endpoint that no other member has."""
        for place in places:
            spot = place[2:]
            member = self._leaving[place] = self._members.pop(place)
            member.endpoint.hold(place[:2], 0)
            self._users[spot] -= 1
            if not self._users[spot]:
                del self._users[spot]
                endpoint = self._draining[spot] = self._endpoints.pop(spot)
                endpoint.retire(True)

    def _claim(self, claim: Claim, ranked: Rank) -> None:
        claimants = self._claims.setdefault(claim, [])
        if ranked not in claimants:
            insort(claimants, ranked)
        self._put(claim, self._rows[claimants[0][2]].routes)

    def _give_up(self, claim: Claim, ranked: Rank) -> None:
        claimants = self._claims[claim]
        claimants.remove(ranked)
        if claimants:
            self._put(claim, self._rows[claimants[0][2]].routes)
        else:
            del self._claims[claim]
            self._put(claim, None)

    def _put(self, claim: Claim, routes: tuple[Route, ...] | None) -> None:
        """Lead a claim there; None: nowhere. While no TLS is passed through, no hello is looked at for that."""
        host, path = claim
        if path:
            self._router.put(host, path, routes)
            return
        self._passing.put(host, b"/", routes)
        self._router.passing = self._passing if self._passing.rules else None


def _endpoints(row: ServiceRow, index: int) -> tuple[EndpointRow, ...]:
    return row.listeners[min(index, len(row.listeners) - 1)]
