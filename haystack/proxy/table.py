"""From a Snapshot to the workers' routing table, and from the table to routes over cells that survive it.

`of` is pure and runs in the control process; Routes runs in a worker and is the one place where cells are kept. Never touches a socket.
"""

from __future__ import annotations

from haystack._fast import pick
from haystack._fast.cells import Cell, Member, Picker, Route
from haystack.model import Endpoint, Service
from haystack.proxy.channel import EndpointRow, ServiceRow, Table
from haystack.snapshot import Snapshot

LISTENERS = ("http", "http-alt")
TIMEOUT = 60.0


def of(snapshot: Snapshot, balance: str) -> Table:
    """The table of all services that speak HTTP; balance: the picker for those that name none."""
    rows = tuple(_row(s, balance) for s in snapshot.services.values() if s.has_http)
    return Table(version=snapshot.version, services=rows)


def _row(service: Service, balance: str) -> ServiceRow:
    return ServiceRow(
        name=service.name,
        hosts=(service.name, *service.hosts),
        balance=service.balance or balance,
        sticky=service.sticky or "",
        timeout_ms=max(1, int((service.timeout or TIMEOUT) * 1000)),
        listeners=tuple(_endpoints(service, listener) for listener in LISTENERS),
    )


def _endpoints(service: Service, listener: str) -> tuple[EndpointRow, ...]:
    """The ready endpoints for one listener; a service that has only the other kind of port is served there too."""
    mine = [e for e in service.endpoints if e.listener == listener]
    chosen = mine or [e for e in service.endpoints if e.listener is not None]
    return tuple(_endpoint(e) for e in chosen if e.ready and (e.address or e.address6))


def _endpoint(endpoint: Endpoint) -> EndpointRow:
    return EndpointRow(endpoint.id, endpoint.address or endpoint.address6 or "", endpoint.port, endpoint.weight)


class Routes:
    """A worker's routes. Cells and members are found again by their keys, so that load, pools and counters outlive a table."""

    def __init__(self, ports: tuple[int, ...]) -> None:
        self._ports = ports
        self._cells: dict[tuple[str, str, int], Cell] = {}
        self._members: dict[tuple[str, int, str, str, int], Member] = {}
        self._leaving: dict[tuple[str, int, str, str, int], Member] = {}
        self._pickers: dict[tuple[str, int], Picker] = {}

    def build(self, table: Table) -> list[dict[bytes, Route]]:
        """One {host: Route} a listener. What is not in the table any more drains, and is counted once more at its end."""
        old_members, self._members = self._members, {}
        # a member that comes back while it drains brings its cell along: it must not meet a second one
        old_cells, self._cells = {key[2:]: m.cell for key, m in self._leaving.items()} | self._cells, {}
        routes = [
            {host: route for row in table.services for host, route in self._hosts(row, index, old_members, old_cells)}
            for index in range(len(self._ports))
        ]
        self._leaving |= {key: m for key, m in old_members.items() if key not in self._members}
        for key, cell in old_cells.items():
            cell.gone = key not in self._cells
        self._pickers = {(r.service, port): r.picker for port, hosts in zip(self._ports, routes, strict=True) for r in hosts.values()}
        return routes

    def _hosts(
        self, row: ServiceRow, index: int, members: dict[tuple[str, int, str, str, int], Member], cells: dict[tuple[str, str, int], Cell]
    ) -> list[tuple[bytes, Route]]:
        chosen = []
        for e in row.listeners[index]:
            key = (e.id, e.address, e.port)
            cell = self._cells.setdefault(key, cells.get(key) or Cell(e.id, (e.address, e.port)))
            place = (row.name, self._ports[index], *key)
            member = members.get(place) or self._leaving.pop(place, None) or Member(cell, row.name, self._ports[index])
            self._members[place] = member
            chosen.append(member)
        weights = [e.weight for e in row.listeners[index]]
        picker = pick.make(row.balance, chosen, weights, self._pickers.get((row.name, self._ports[index])))
        route = Route(row.name, picker, row.timeout_ms, row.balance, row.sticky)
        return [(host.encode(), route) for host in row.hosts]

    def take_requests(self) -> tuple[tuple[str, int, str, int, int], ...]:
        """(service, listener's port, address, port, requests) since the last call, where there were any."""
        rows = []
        for group in (self._members, self._leaving):
            for (service, port, _, address, number), member in group.items():
                if new := member.take_new():
                    rows.append((service, port, address, number, new))
        self._leaving = {key: m for key, m in self._leaving.items() if m.cell.in_flight}
        return tuple(rows)
