"""A worker's report of what it has counted: gathered where something is new, and in parts where it is long.

Requests to Haystack itself are nobody's.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator

from haystack._fast.endpoint.endpoint import Endpoint, Member
from haystack._fast.net.tls import take_handshakes
from haystack._fast.worker.worker_state import WorkerState
from haystack.proxy import count_parts, own_routes
from haystack.proxy.ipc import Counts, MemberRow, Tally

MOST = 1000  # members that are told of at once, in two milliseconds: exchanges wait meanwhile


class Report:
    """forget: members that have left and are needed no more (worker_routes.py)."""

    def __init__(self, state: WorkerState, forget: Callable[[], list[Member]]) -> None:
        self._state = state
        self._forget = forget
        self._reported: tuple[int, tuple[int, ...], int, int] = (0, (), 0, 0)
        self._told = 0
        self.behind = False  # there were more members to tell of than are told at once
        self._gone: list[int] = []  # members that are told to be gone with the next counts

    def parts(self, number: int, *, rest: bool = False) -> Iterator[Counts]:
        """What was new since the last one; nothing, where nothing is and nobody asked (number 0). rest: of a report that was `behind`."""
        exchanges, statuses = self._state.counted()
        clients = self._state.clients
        standing = (exchanges, tuple(statuses), self._state.poller.open_sockets, clients.count)
        traffic = self._state.traffic
        members, requests, ended = self._members(sys.maxsize if number else MOST)
        services = tuple(row for row in traffic.take_services() if row[0] not in ("", own_routes.ITSELF))
        loads = tuple(row for row in traffic.take_loads() if row[0] != own_routes.ITSELF)
        handshakes = tuple(take_handshakes())
        if number or self._gone or requests or ended or services or loads or handshakes or standing != self._reported:
            self._reported = standing
            errors = tuple((word.decode(), status, n) for (word, status), n in self._state.take_errors().items())
            places = clients.hidden, clients.gateway or "", clients.outside
            whole = Counts(
                number, requests, *standing[:3], members, errors, tuple(self._gone), *places, ended, services, loads,
                clients=clients.count, handshakes=handshakes,
            )  # fmt: skip
            yield from count_parts.parts(whole)
            self._gone.clear()
        if number == 0 and not rest:  # each second, however often counts are asked for: who has just left may still be spoken of
            self._forget_drained()

    def _forget_drained(self) -> None:
        """Let go of members that have left, and tell so of those that were told."""
        for member in self._forget():
            if member.number:
                self._gone.append(member.number)
                member.number = 0  # should something count for it all the same, it is told anew

    def _members(self, most: int) -> tuple[tuple[MemberRow, ...], tuple[tuple[int, int], ...], tuple[tuple[int, Tally], ...]]:
        """Members never told of before; (member, requests) and (member, what ended) since the last call."""
        new, requests, ended = [], [], []
        taken = self._state.traffic.take_members(most)
        self.behind = len(taken) == most
        for member, number, tally in taken:
            if member.service == own_routes.ITSELF:
                continue
            if not member.number:
                self._told += 1
                member.number = self._told
                new.append((member.service, member.port, member.endpoint.key, *inet(member.endpoint)))
            if number:
                requests.append((member.number, number))
            if tally is not None:
                ended.append((member.number, tally))
        return tuple(new), tuple(requests), tuple(ended)


def inet(endpoint: Endpoint) -> tuple[str, int]:
    """Its IP address and port. TypeError: it has none."""
    if isinstance(endpoint.address, str):
        raise TypeError(f"{endpoint.address} is a unix socket")
    return endpoint.address
