"""Questions to all workers: the replies by number, and no longer than said."""

import asyncio

import pytest

from haystack.dns.messages import Askers, Who
from haystack.proxy import ipc
from haystack.proxy.inquiries import Inquiries
from haystack.proxy.worker_slot import Slot


class Channel:
    """A worker's channel that keeps what it is told."""

    def __init__(self):
        self.sent = []

    def send(self, message):
        self.sent.append(message)


@pytest.fixture
def workers():
    slots = [Slot(number, []) for number in range(3)]
    for slot in slots:
        slot.state, slot.channel = "serving", Channel()
    return slots


async def test_each_worker_that_serves_is_asked_and_its_reply_is_one_of_them(workers):
    workers[2].state = "starting"
    inquiries = Inquiries()
    asking = asyncio.create_task(inquiries.ask(workers, Who, 10))
    await asyncio.sleep(0)
    assert workers[2].channel.sent == []
    replies = [Askers(slot.channel.sent[0].number, ()) for slot in workers[:2]]
    for reply in reversed(replies):
        inquiries.heard(reply.number, reply)
    assert await asking == replies


async def test_one_that_does_not_reply_costs_its_reply_alone_and_one_that_comes_late_is_nothing(workers):
    inquiries = Inquiries()
    asking = asyncio.create_task(inquiries.ask(workers, Who, 0.01))
    await asyncio.sleep(0)
    first, second = (slot.channel.sent[0].number for slot in workers[:2])
    inquiries.heard(first, Askers(first, ()))
    assert await asking == [Askers(first, ())]
    inquiries.heard(second, Askers(second, ()))
    inquiries.heard(0, Askers(0, ()))


async def test_without_workers_there_is_no_reply():
    assert await Inquiries().ask([], Who, 10) == []


async def loads(workers, *rows):
    """What is found when the workers reply these rows, each in its turn."""
    inquiries = Inquiries()
    asking = asyncio.create_task(inquiries.loads(workers, ("a", "b"), "web", 0.05))
    await asyncio.sleep(0)
    for slot, told in zip([slot for slot in workers if slot.channel.sent], rows, strict=False):
        assert slot.channel.sent[0] == ipc.Load(slot.channel.sent[0].number, ("a", "b"), "web")
        inquiries.heard(slot.channel.sent[0].number, ipc.Loads(slot.channel.sent[0].number, told))
    return await asking


async def test_the_load_of_endpoints_is_that_of_all_workers_also_of_those_that_start_or_drain(workers):
    workers[0].state, workers[1].state = "starting", "draining"
    assert await loads(workers, (("a", 1),), (("a", 2), ("b", 1)), ()) == {"a": 3, "b": 1}


async def test_a_dead_worker_has_no_load(workers):
    workers[1].state, workers[1].channel.sent = "dead", []
    assert await loads(workers, (("a", 1),), (("b", 1),)) == {"a": 1, "b": 1}


async def test_where_one_worker_does_not_say_nothing_is_known(workers):
    assert await loads(workers, (("a", 1),), ()) is None
