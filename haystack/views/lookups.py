"""What /api/explain and /api/dns answer, and `explain --json` and `dig --json` too. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from haystack.loop.turns import Turns
from haystack.model.services import Endpoint
from haystack.views import explanation, live, unclaimed
from haystack.views.answers import LiveEndpoint
from haystack.views.explanation import Asked
from haystack.views.lookup_answers import DnsAnswer, ExplainAnswer
from haystack.views.state import State


def explained(state: State, asked: Asked, most: int | None = None) -> Turns[ExplainAnswer]:
    """Which service answers a URL, by which rule, with which endpoints. most: so many of them; None: all."""
    rules = yield from explanation.matching(state.snapshot.services.values(), asked)
    found = rules[0] if rules else None
    if found is not None:
        lines = [*(yield from explanation.lead(state, asked, found)), *explanation.shadowed(rules)]
    else:
        lines = [f"no service claims {asked.host}{asked.path}: {unclaimed.otherwise(state, asked)}"]
        lines += yield from unclaimed.near(state, asked)
    return {
        "host": asked.host,
        "path": asked.path,
        "service": found.service.name if found is not None else None,
        "rule": {"host": found.host, "path": found.path} if found is not None else None,
        "endpoints": (yield from _endpoints(state, found.endpoints[:most] if found is not None else ())),
        "lines": lines,
    }


def _endpoints(state: State, endpoints: Sequence[Endpoint]) -> Turns[list[LiveEndpoint]]:
    snapshot, found = state.snapshot, []
    for endpoint in endpoints:
        found.append(live.endpoint_shape(endpoint, live.container_dns(snapshot, endpoint)))
        yield
    return found


def resolved(name: str, kind: str, lines: Sequence[str]) -> DnsAnswer:
    """What DNS says of a name, given all lines of it, the status first: what follows the records is of other sections."""
    records = [*takewhile(lambda line: not line.startswith(";;"), lines[1:])]
    return {"name": name, "type": kind, "records": records, "lines": list(lines)}
