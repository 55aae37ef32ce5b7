"""What a worker does with what it has counted."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from haystack._fast.routing.router import Router
from haystack.model.service_options import ServiceOptions
from haystack.proxy import ipc
from haystack.proxy.worker import Worker
from haystack.proxy.worker_counts import Report
from haystack.proxy.worker_routes import Routes
from haystack.routing.rows import EndpointRow, ServiceRow, Table
from tests.fuzz.rig import Rig

SPOT = ("a:80/tcp", "10.0.0.1", 80)


def test_counts_that_are_asked_for_take_no_time_from_endpoints_that_have_left(rig: Rig) -> None:
    """The word that one was told to stop may come late. Where /metrics was asked for twice meanwhile, it was about nobody."""
    sent: list[Any] = []
    channel: Any = SimpleNamespace(send=sent.append, unsent=0)
    worker = Worker(channel, [])
    worker._state, worker._poller = rig.worker, rig.poller
    worker._routes = Routes((80,), Router())
    worker._counts = Report(rig.worker, worker._routes.forget_drained)
    web = ServiceRow("web", ("web",), ServiceOptions(balance="random", timeout=1.0), ((EndpointRow(*SPOT, 100),),))
    worker._routes.apply(Table(1, (web,)))
    worker._routes.apply(Table(2, ()))
    for number in (1, 2, 3):
        worker._report(number)
    assert [each.number for each in sent if isinstance(each, ipc.Counts)] == [1, 2, 3]
    assert {endpoint.key for endpoint in worker._routes.endpoints((SPOT,))} == {"a:80/tcp"}
    for _ in range(2):  # its own reports, a second apart
        worker._report(0)
    assert worker._routes.endpoints((SPOT,)) == set()
