import asyncio

from haystack.observe.trace import TraceHub
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


async def test_a_listener_gets_what_it_wants_alone_and_several_in_one_go():
    hub = TraceHub()
    async with hub.subscribe(wants=lambda trace: trace.status > 1) as traces:
        for status in (1, 2, 3, 4):
            hub.publish(trace(status=status))
        assert [each.status for each in await traces.some(2)] == [2, 3]
        assert [each.status for each in await traces.some()] == [4]
        assert traces.dropped == 0


async def test_a_listener_has_so_many_a_second_and_the_others_are_counted(monkeypatch):
    now = 7.0
    monkeypatch.setattr("haystack.observe.trace.time.monotonic", lambda: now)
    hub = TraceHub()
    async with hub.subscribe(most=2) as traces:
        for status in (1, 2, 3, 4):
            hub.publish(trace(status=status))
        now = 8.0
        hub.publish(trace(status=5))
        assert [each.status for each in await traces.some()] == [1, 2, 5]
        assert traces.dropped == 2


async def test_what_the_workers_had_no_room_for_is_counted_too():
    hub = TraceHub()
    async with hub.subscribe() as traces:
        hub.lost(7)
        assert traces.dropped == 7


async def test_who_takes_many_traces_lets_others_have_their_turn():
    hub = TraceHub()
    turns = 0

    async def other():
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    async with hub.subscribe() as traces:
        task = asyncio.create_task(other())
        for _ in range(500):
            hub.publish(trace())
        for _ in range(500):
            await anext(traces)
        task.cancel()
    assert turns > 20
