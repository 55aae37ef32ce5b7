"""`explain URL`: which service answers, by which claim, which of its endpoints are in and why, and how one of them is chosen. Pure."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence

from haystack.console import departed, lists
from haystack.console.command_line import nearest_of
from haystack.console.long_text import Lines
from haystack.console.tables import tabled
from haystack.console.wrapping import prose
from haystack.loop.turns import Turns, stretches
from haystack.model import naming
from haystack.model.records import Container
from haystack.model.services import Endpoint
from haystack.observe.safe_text import printable
from haystack.views import explanation, unclaimed
from haystack.views.explanation import Asked
from haystack.views.state import State


def text(state: State, asked: Asked, width: int | None) -> Turns[tuple[list[str], bool]]:
    """What there is to say, in pieces, and whether some service answers."""
    rules = yield from explanation.matching(state.snapshot.services.values(), asked)
    if not rules:
        return (yield from _nobody(state, asked, width)), False
    found = rules[0]
    out, name, now = Lines(*_safe((yield from explanation.lead(state, asked, found)), width)), found.service.name, time.time()
    for container in dict.fromkeys(e.container for e in found.endpoints):
        out.add(*_safe(_health(state.snapshot.containers.get(container)), width))
        yield
    for endpoint in found.endpoints:
        out.add(*_safe(_probe(state, endpoint), width))
        yield
    more = [*explanation.shadowed(rules), *departed.lines(state, [name]), *(yield from unclaimed.mute(state, name, placeless=True))]
    yield from _added(out, more, width)
    yield from tabled(out, lists.ENDPOINT, (lists.endpoint_row(state.snapshot, e, now) for e in found.endpoints), width)
    return out.pieces(), True


def _nobody(state: State, asked: Asked, width: int | None) -> Turns[list[str]]:
    """What there is to say where no service answers."""
    otherwise = unclaimed.otherwise(state, asked)
    gone = any(asked.host in departed.served(state, d) for d in state.registry.departures)
    if gone:
        otherwise = "its last container has gone: requests wait for a while, then 503; 404 after a minute"
    lines = [f"no service claims {asked.host}{asked.path}: {otherwise}"]
    short, whole = naming.short_name(asked.host, state.snapshot.origin), lists.whole(asked.host, state)
    if whole in state.snapshot.services and whole != asked.host:
        lines.append(f"did you mean {whole}?")
    elif whole not in state.snapshot.services and short != asked.host and not gone:
        lines += filter(None, [(yield from nearest_of(short, lists.short_names(state))).removeprefix("; ")])
    if state.settings.expose == "labelled":
        lines.append("HAYSTACK_EXPOSE=labelled: a container without a haystack.* label is in no service")
    lines += departed.lines(state, [asked.host])
    lines += yield from unclaimed.near(state, asked)
    out = Lines()
    yield from _added(out, [*lines, *lists.trouble_lines(state)], width)
    return out.pieces()


def _added(out: Lines, lines: Sequence[str], width: int | None) -> Turns[None]:
    """Add many of these."""
    for some in stretches(lines):
        out.add(*_safe(some, width))
        yield


def _safe(lines: Iterable[str], width: int | None) -> Iterator[str]:
    """They have text of others in them, and may be longer than the terminal is wide."""
    return prose(map(printable, lines), width)


def _health(container: Container | None) -> list[str]:
    """What the check of a container said last, where it is not well."""
    told = container is not None and container.health in lists.UNWELL and container.health_output
    return [lists.health_line(container)] if container is not None and told else []


def _probe(state: State, endpoint: Endpoint) -> list[str]:
    """What the probe of an endpoint said last."""
    watcher = state.registry.watcher
    told = watcher.told(endpoint.id) if watcher is not None else ""
    return [f"health check of {endpoint.id}: {printable(told)}"] if told else []
