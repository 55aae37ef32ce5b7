"""What workers are told: all at first, then what has changed; and that no key shows."""

from __future__ import annotations

import asyncio
from types import MappingProxyType

import pytest

from haystack.proxy.worker_tls import WorkerTls
from haystack.tls import certificates
from haystack.tls.certificate import Certificate
from haystack.tls.feed import NOTHING, Feed, parts
from haystack.tls.messages import PART, TicketKeys
from haystack.tls.store import Certificates
from haystack.tls.tickets import KEPT, ROTATION, SIZE, Tickets


@pytest.fixture
def made(authority):
    return lambda *names: certificates.read(*authority.issue(*names))


def picture(names=(), default=None, challenges=()) -> Certificates:
    return Certificates(names=MappingProxyType(dict(names)), default=default, challenges=MappingProxyType(dict(challenges)))


def served(worker: WorkerTls):
    server = worker.server
    return {name.decode(): c.names for name, c in server.names.items()}, server.default and server.default.names, set(server.challenges)


def test_a_worker_has_what_the_store_has_whatever_it_was_told_before(made):
    a, b, c = made("a.x", "b.x"), made("b.x"), made("c.x")
    steps = [
        picture({"a.x": a, "b.x": a}),
        picture({"a.x": a, "b.x": b}, c),
        picture({"b.x": b}, None, {"b.x": c}),
        picture({"c.x": c}, None, {"b.x": c}),
        NOTHING,
    ]
    followed, told = WorkerTls("1.2", print, serves=True), []
    feed = Feed(told.append)
    for step in steps:
        feed.follow(step)
        for message in told:
            followed.take(message)
        told.clear()
        fresh = WorkerTls("1.2", print, serves=True)
        for message in feed.welcome():
            fresh.take(message)
        want = (
            {name: frozenset(n.encode() for n in each.names) for name, each in step.names.items()},
            step.default and frozenset(n.encode() for n in step.default.names),
            {name.encode() for name in step.challenges},
        )
        assert served(followed) == served(fresh) == want
        assert len(followed._held) == len(fresh._held)


def test_many_come_in_several_messages_and_their_names_with_the_last(made):
    one = made("a.x")
    many = {f"{n}.x": Certificate(b"%d" % n, b"", (f"{n}.x",), "", "", "", 0, 0, "", f"{n}") for n in range(PART * 2 + 1)}
    found = list(parts(picture({"a.x": one}), picture(many)))
    assert [len(part.pairs) for part in found] == [PART, PART, 1]
    assert [len(part.names) for part in found] == [0, 0, len(many)]
    assert (found[-1].gone, len(found[-1].dropped)) == (("a.x",), 1)
    assert [len(part.pairs) for part in parts(NOTHING, picture(dict(list(many.items())[:PART])))] == [PART]
    assert [len(part.pairs) for part in parts(NOTHING, NOTHING)] == [0]


def test_no_key_shows(made):
    (part,) = parts(NOTHING, picture({"a.x": made("a.x")}))
    assert part.pairs[0].key.startswith(b"-----BEGIN PRIVATE KEY")
    assert "PRIVATE" not in repr(part)
    assert repr(TicketKeys((b"secret",))) == "TicketKeys(1 keys)"


def test_ticket_keys_are_rotated_and_handed_on():
    told = []
    tickets = Tickets(told.append)
    (first,) = tickets.keys
    for _ in range(KEPT + 1):
        tickets.rotate()
    assert len(first) == SIZE
    assert len(tickets.keys) == KEPT
    assert first not in tickets.keys
    assert told[-1].keys == Tickets(told.append, tickets.keys).keys == tickets.keys
    assert len(Tickets(told.append, (b"short",)).keys[0]) == SIZE


async def test_a_handover_does_not_begin_the_rotation_anew():
    now = 1000.0
    old = Tickets(print, clock=lambda: now)
    now += ROTATION - 1
    keys, age = old.handed_on()
    assert (keys, age) == (old.keys, ROTATION - 1)
    told = asyncio.Queue()
    new = Tickets(told.put_nowait, keys, age, clock=lambda: now)
    now += 2
    running = asyncio.create_task(new.run())
    assert (await asyncio.wait_for(told.get(), 10)).keys[1:] == keys
    assert new.handed_on() == (new.keys, 0.0)
    running.cancel()


@pytest.mark.parametrize(("said", "taken"), [(-5.0, 0.0), (1e300, ROTATION)])
def test_an_age_that_can_not_be_is_none(said, taken):
    assert Tickets(print, (b"x" * SIZE,), said, clock=lambda: 0.0).handed_on()[1] == taken


def test_what_openssl_does_not_take_is_told_once_and_ends_no_worker():
    with pytest.raises(ValueError, match="80 bytes"):
        WorkerTls("1.2", print, serves=True).take(TicketKeys((b"x",)))
