"""What happened in a window of time, told from the past's rings: who was in, events and exchanges that went wrong, what followed. Pure.

Never asks anybody: what workers did not tell, and what is older than the rings, is said to be missing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from haystack.loop.turns import Turns, stretches
from haystack.model.records import Record
from haystack.model.reports import Outcome
from haystack.observe.history import Past
from haystack.observe.journal import Entry
from haystack.observe.membership_history import Move, Seat, Seats
from haystack.observe.outcomes import CLIENT_GONE, Count, by_client

SERVICES, LEFT = 20, 50  # whose members, and whose leaving, are told
BEFORE, BEHIND = 5.0, 30.0  # seconds around a leaving in which exchanges are counted as caught by it
GENERAL = ("engine.", "worker.")  # kinds that concern every service


class Leaving(Record, frozen=True, kw_only=True):
    """A container left a service, and what became of exchanges that were sent to it about then.

    moved: answered by others, by whom, and when the first of them was (Unix seconds, 0.0: none); failed: not answered, or with an error;
    gave_up: whose clients went away.
    """

    time: float
    service: str
    container: str
    name: str
    moved: int = 0
    failed: int = 0
    gave_up: int = 0
    answered_by: tuple[str, ...] = ()
    resumed: float = 0.0


class Replay(Record, frozen=True, kw_only=True):
    """The window, first to last (Unix seconds). known: from when on all is known; service: of which alone it is told.

    before, after: who was in, names by service; events and outcomes: each in the order of time; uncounted: exchanges that went wrong and
    are not among them; names: of endpoints' containers, by service and place.
    """

    first: float
    last: float
    known: float
    service: str | None
    before: dict[str, tuple[str, ...]]
    after: dict[str, tuple[str, ...]]
    events: tuple[Entry, ...]
    outcomes: tuple[Outcome, ...]
    leavings: tuple[Leaving, ...]
    uncounted: int
    names: dict[str, dict[str, str]]

    def name(self, service: str, place: str) -> str:
        """Whose endpoint that was; the place itself where nobody knows."""
        return self.names.get(service, {}).get(place, place)


class Caught(NamedTuple):
    """What leaving is told from."""

    outcomes: list[Outcome]
    counts: list[Count]


def concerns(entry: Entry, service: str) -> bool:
    """Whether an entry is about a service, its containers, or everything."""
    return service in entry.services or entry.about == service or entry.kind.startswith(GENERAL)


def replay(past: Past, first: float, last: float, service: str | None = None) -> Turns[Replay]:
    """The window from first to last; of one service (its whole name), or of all in which something happened."""
    events = yield from concerned([e for e in past.journal.since(first) if e.time < last], service)
    outcomes = [o for o in past.outcomes.between(first, last) if service is None or o.service == service]
    yield
    counts = [c for c in past.outcomes.counts(first, last) if service is None or c.manner.service in ("", service)]
    moves = [m for m in past.attendance.moves(first, last) if service is None or m.service == service]
    yield
    services = [service] if service is not None else _touched(events, outcomes, moves)
    before = yield from past.attendance.at(first, services)
    names = yield from _names(before, moves)
    caught = Caught(outcomes, counts)
    leavings = []
    for move in islice((m for m in moves if not m.came), LEFT):
        leavings.append(_leaving(move, caught, names.get(move.service, {})))
        yield
    return Replay(
        first=first,
        last=last,
        service=service,
        known=max(past.journal.begun, past.outcomes.begun, past.attendance.begun),
        before=(yield from _shown(before)),
        after=(yield from _shown((yield from _later(before, moves)))),
        events=tuple(events),
        outcomes=tuple(outcomes),
        leavings=tuple(leavings),
        uncounted=sum(c.number for c in counts),
        names=names,
    )


def _touched(events: Iterable[Entry], outcomes: Iterable[Outcome], moves: Iterable[Move]) -> list[str]:
    """The first services in which something happened, in order of time: moves first, for these change who is in."""
    found = dict.fromkeys(m.service for m in moves)
    found |= dict.fromkeys(o.service for o in outcomes if o.service)
    found |= dict.fromkeys(name for e in events for name in e.services)
    return list(islice(found, SERVICES))


def concerned(entries: Sequence[Entry], service: str | None) -> Turns[list[Entry]]:
    """Those that are about a service, where it is one."""
    found: list[Entry] = []
    for some in stretches(entries):
        found += [entry for entry in some if service is None or concerns(entry, service)]
        yield
    return found


def _names(before: Seats, moves: Sequence[Move]) -> Turns[dict[str, dict[str, str]]]:
    """Whose endpoint was at a place, by service: of those who were in, or came."""
    names: dict[str, dict[str, str]] = {}
    for service, there in before.items():
        names[service] = {place: seat.name for seat in there.values() for place in seat.places}
        yield
    for some in stretches(moves):
        for move in some:
            names.setdefault(move.service, {}).update(dict.fromkeys(move.seat.places, move.seat.name))
        yield
    return names


def _shown(seats: Seats) -> Turns[dict[str, tuple[str, ...]]]:
    found = {}
    for service, there in seats.items():
        found[service] = tuple(sorted(seat.name for seat in there.values()))
        yield
    return found


def _later(before: Seats, moves: Sequence[Move]) -> Turns[Seats]:
    """Who was in after these moves."""
    found: Seats = {}
    for service, there in before.items():
        found[service] = dict(there)
        yield
    for some in stretches(moves):
        for move in some:
            if move.service in found:
                _move(found[move.service], move)
        yield
    return found


def _move(there: dict[str, Seat], move: Move) -> None:
    if move.came:
        there[move.seat.container] = move.seat
    else:
        there.pop(move.seat.container, None)


def _leaving(move: Move, caught: Caught, names: dict[str, str]) -> Leaving:
    """What became of exchanges that were sent to who has left."""
    near = [o for o in caught.outcomes if o.service == move.service and move.time - BEFORE <= o.time <= move.time + BEHIND]
    lost = [o for o in near if any(place in move.seat.places for place in _lost(o))]
    moved = [o for o in lost if not o.failed]
    gave_up = [o for o in lost if by_client(o) or (o.failed and o.error == CLIENT_GONE and o.status == 0)]
    uncounted = [c for c in caught.counts if _was_at(c, move)]
    by = dict.fromkeys(names.get(o.endpoint, o.endpoint) for o in moved)
    failed = len(lost) - len(moved) - len(gave_up)
    return Leaving(
        time=move.time,
        service=move.service,
        container=move.seat.container[:12],
        name=move.seat.name,
        moved=len(moved) + sum(c.number for c in uncounted if not _failed(c)),
        failed=failed + sum(c.number for c in uncounted if _failed(c)),
        gave_up=len(gave_up),
        answered_by=tuple(sorted(by)),
        resumed=min((o.time for o in moved), default=0.0),
    )


def _lost(outcome: Outcome) -> Iterator[str]:
    """The endpoints at which it did not succeed."""
    yield from outcome.candidates if outcome.failed else outcome.candidates[:-1]


def _was_at(count: Count, move: Move) -> bool:
    manner = count.manner
    near = int(move.time - BEFORE) <= count.second <= move.time + BEHIND
    return near and manner.service == move.service and manner.candidate in move.seat.places


def _failed(count: Count) -> bool:
    return bool(count.manner.error) or count.manner.status >= 500  # noqa: PLR2004 - the class of statuses
