"""The past as the shell shows it: lines of the journal, and what `replay` tells of a window. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from heapq import merge
from operator import itemgetter

from haystack.console.long_text import Lines
from haystack.console.moments import clock, dated
from haystack.console.tables import Column, tabled
from haystack.console.wrapping import prose
from haystack.loop.turns import Turns
from haystack.model.reports import Outcome
from haystack.observe.journal import Entry
from haystack.observe.safe_text import printable
from haystack.views.replay import Leaving, Replay

COLUMNS = ("time (UTC)", "event", Column("about", fold=True), Column("what", fold=True))
SHORTEST_ID = 4  # characters of an id by which a container is meant
SHOWN = 12  # names in a line
DAY = 86_400
Row = tuple[float, tuple[str, str, str]]  # when; event, about and what


def is_about(entry: Entry, word: str, whole: str) -> bool:
    """Whether an entry is about what a person means. word: a name or an id, as typed; whole: the same as a service's whole name."""
    if whole in entry.services or entry.about in (word, whole):
        return True
    return len(word) >= SHORTEST_ID and entry.id.startswith(word.lower())


def what(entry: Entry) -> str:
    """All that an entry says, but for when and about what."""
    detail = f" ({entry.detail})" if entry.detail else ""
    by = f" (by {entry.by})" if entry.by else ""
    return f"{entry.text}{detail}{by}"


def line(entry: Entry) -> str:
    """An entry as one line."""
    about = f" {entry.about}:" if entry.about else ""
    return printable(f"{clock(entry.time)} {entry.kind}{about} {what(entry)}")


def text(entries: Sequence[Entry], width: int | None) -> Turns[list[str]]:
    """A table of some entries; with the day, where they are of several."""
    out = Lines()
    one_day = entries[0].time // DAY == entries[-1].time // DAY
    yield from _table(out, ((entry.time, (entry.kind, entry.about, what(entry))) for entry in entries), width, one_day=one_day)
    return out.pieces()


def _table(out: Lines, rows: Iterable[Row], width: int | None, *, one_day: bool) -> Turns[None]:
    show = clock if one_day else dated
    yield from tabled(out, COLUMNS, ((show(when), *cells) for when, cells in rows), width)


def replay_text(told: Replay, width: int | None) -> Turns[list[str]]:
    """A window: who was in, what came, what became of it, and who is in afterwards."""
    out = Lines(f"{dated(told.first)} to {clock(told.last)} UTC")
    if told.known > told.first:
        out.add(*prose([f"what happened before {dated(told.known)} is not known any more, or Haystack did not run"], width))
    out.add(*prose(_members("in at the beginning", told.before), width))
    events = ((e.time, (e.kind, e.about, what(e))) for e in told.events)
    outcomes = ((o.time, _outcome(told, o)) for o in told.outcomes)
    if told.events or told.outcomes:
        out.add("")
        one_day = told.first // DAY == told.last // DAY
        yield from _table(out, merge(events, outcomes, key=itemgetter(0)), width, one_day=one_day)
        out.add("")
    else:
        out.add("nothing happened, and no exchange went wrong")
    out.add(*prose(map(printable, map(_leaving, told.leavings)), width))
    if told.after != told.before:
        out.add(*prose(_members("in at the end", told.after), width))
    if told.uncounted:
        out.add(f"{told.uncounted:,} more exchanges went wrong, and are only counted")
    return out.pieces()


def _members(title: str, services: dict[str, tuple[str, ...]]) -> Iterator[str]:
    for service, names in services.items():
        more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
        yield printable(f"{title} of {service}: {', '.join(names[:SHOWN]) or 'nobody'}{more}")


def _outcome(told: Replay, outcome: Outcome) -> tuple[str, str, str]:
    """An exchange as a row."""
    kind = "exchange.failed" if outcome.failed else "exchange.retried" if outcome.moved else "exchange.refused"
    host = "" if told.service is not None else outcome.service or outcome.host
    return kind, f"{outcome.method} {host}{outcome.target}".strip() or "an unreadable request", way(told, outcome)


def way(told: Replay, outcome: Outcome) -> str:
    """``web-2 (connection_terminated), then web-1: 200 after 12 ms``."""
    names = [told.name(outcome.service, place) for place in outcome.candidates]
    if outcome.retried and names:
        names[0] += f" ({outcome.retried})"
    end = str(outcome.status) if outcome.status else "no answer"
    error = f" {outcome.error}" if outcome.error else ""
    detail = f": {outcome.detail}" if outcome.detail else ""
    return f"{', then '.join(names)}{': ' if names else ''}{end}{error} after {outcome.total_ms:.0f} ms{detail}"


def _leaving(found: Leaving) -> str:
    """What leaving meant for exchanges."""
    begin = f"{clock(found.time)} {found.name} left {found.service}: "
    caught = found.moved + found.failed + found.gave_up
    if not caught:
        return f"{begin}no exchange was caught by it"
    parts = []
    if found.moved:
        first = f", the first at {clock(found.resumed)}" if found.resumed else ""
        parts.append(f"{found.moved:,} went on at {' and '.join(found.answered_by) or 'others'}{first}")
    if found.failed:
        parts.append(f"{found.failed:,} failed")
    if found.gave_up:
        parts.append(f"{found.gave_up:,} were given up by their clients")
    return f"{begin}{caught:,} exchange{'s were' if caught > 1 else ' was'} there or sent there; {', '.join(parts)}"
