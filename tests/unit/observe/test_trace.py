from haystack.observe.trace import TraceHub, render
from tests.fakes.state import NAME, trace


async def test_a_slow_listener_keeps_the_newest_and_counts_the_rest():
    hub = TraceHub()
    async with hub.subscribe(limit=2) as traces:
        for status in (1, 2, 3):
            hub.publish(trace(status=status))
        assert [(await anext(traces)).status, (await anext(traces)).status] == [2, 3]
        assert traces.dropped == 1


async def test_the_union_of_interests_is_told_once_a_change():
    told = []
    hub = TraceHub(lambda on, service: told.append((on, service)))
    async with hub.subscribe("a"):
        async with hub.subscribe("a"), hub.subscribe("b"):
            pass
        async with hub.subscribe(None):
            pass
    assert told == [(True, "a"), (True, None), (True, "a"), (True, None), (True, "a"), (False, None)]


async def test_a_listener_gets_its_service_alone():
    hub = TraceHub()
    async with hub.subscribe(NAME) as traces:
        hub.publish(trace("other"))
        hub.publish(trace(status=201))
        assert (await anext(traces)).status == 201


def test_a_phase_never_reached_is_a_dash_and_an_error_is_named():
    line = render(trace(candidates=(), endpoint="", status=503, error="destination_unavailable"))
    assert "connect=- " in line
    assert "tried=- endpoint=-" in line
    assert line.endswith("error=destination_unavailable")
    assert render(trace(error="http_request_error", detail="Host is missing")).endswith("error=http_request_error (Host is missing)")


def test_a_request_cannot_forge_a_line():
    assert "\n" not in render(trace(target="/\r\nhttp forged"))
