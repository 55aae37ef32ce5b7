"""PING to endpoints of HTTP/2 (RFC 9113, section 6.7): one that lets a request wait is asked whether it is there, and what follows."""

from __future__ import annotations

import threading
from concurrent.futures import Future, ThreadPoolExecutor

from tests.fakes.client import Response
from tests.fakes.h2_origin import held, respond
from tests.fakes.h2_site import H2Site
from tests.fakes.worker import until


def test_an_endpoint_that_lets_a_request_wait_is_asked_once(h2_site: H2Site) -> None:
    gate = threading.Event()
    name, origin = h2_site.one()
    assert h2_site.get(name).status == 200
    origin.script = held(gate)
    with ThreadPoolExecutor() as pool:
        waiting = [pool.submit(h2_site.get, name, "/", b"", "POST") for _ in range(5)]
        until(lambda: sum(line.pings for line in origin.lines) == 1, 9, "it is never asked")
        until(lambda: len(origin.requests) == 6, 9, "not all have come")
        gate.set()
        assert [each.result().status for each in waiting] == [200] * 5
    assert sum(line.pings for line in origin.lines) == 1
    assert {request.connection for request in origin.requests} == {1}


def test_while_it_does_not_answer_that_new_requests_use_another_connection(h2_site: H2Site) -> None:
    """As where the network has lost one: what can't be repeated waits there, and nothing more joins it."""
    name, origin = h2_site.one(respond())
    assert h2_site.get(name).status == 200
    origin.each(lambda line: line.transport.pause_reading())
    with ThreadPoolExecutor(32) as pool:
        asked: list[Future[Response]] = []

        def answered() -> bool:
            asked.append(pool.submit(h2_site.get, name, "/", b"", "POST"))
            threading.Event().wait(0.2)
            return any(each.done() for each in asked)

        until(answered, 6, "all wait on the connection that is dead")
        assert 1 < len(asked) < 20
        assert {request.connection for request in origin.requests[1:]} == {2}
        assert h2_site.get(name).status == 200
        origin.each(lambda line: line.transport.resume_reading() if not line.transport.is_reading() else None)
        assert {each.result().status for each in asked} == {200}
    assert sorted({request.connection for request in origin.requests}) == [1, 2]
