"""A worker's reply to how many exchanges endpoints have in flight. Changes nothing."""

from __future__ import annotations

from collections import Counter

from haystack._fast.exchange import bulk
from haystack.proxy import ipc
from haystack.proxy.worker_routes import Routes


def loads(routes: Routes, asked: ipc.Load) -> ipc.Loads:
    """The reply: an endpoint that was known at two addresses is one row."""
    found: Counter[str] = Counter()
    for endpoint in routes.known(frozenset(asked.endpoints)):
        if endpoint.in_flight and (count := bulk.in_flight(endpoint, asked.service)):
            found[endpoint.key] += count
    return ipc.Loads(asked.number, tuple(found.items()))
