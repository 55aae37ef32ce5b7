"""Who takes the first address loads all endpoints alike, also where only some of them fit (RFC 1794)."""

from collections import Counter
from itertools import pairwise

import dns.flags
import dns.message
import pytest

from haystack._fast.dns.cache import Cache
from haystack._fast.dns.responder import Responder
from haystack._fast.dns.rotation import SIZE, Rotation
from haystack._fast.dns.zone import Zone
from haystack.dns import wire
from haystack.dns.rows import HostRow, Mark, NodeRow, TargetRow, packed
from haystack.dns.service import shared_counters
from tests.unit.dns.conftest import OWN
from tests.unit.dns.test_responder import crowd


def asked(made, name, rdtype):
    message = dns.message.from_wire(made.answer(dns.message.make_query(name, rdtype).to_wire(), OWN, tcp=False), raise_on_truncation=False)
    return message, [rdata.to_text() for rdata in message.answer[0]]


@pytest.mark.parametrize(("name", "rdtype"), [("db.services.haystack", "A"), ("_postgresql._tcp.db.services.haystack", "SRV")])
def test_sixty_endpoints_of_which_some_fit_are_all_seen_first_in_turn(name, rdtype):
    """Twelve queries began with the same address, and musl, which never asks over TCP, never saw 31 of 60."""
    made = crowd(60)
    answers = [asked(made, name, rdtype) for _ in range(120)]
    assert all(message.flags & dns.flags.TC for message, _ in answers)
    firsts = [records[0] for _, records in answers]
    assert set(Counter(firsts).values()) == {2}
    assert all(one != other for one, other in pairwise(firsts))
    seen = Counter(record for _, records in answers for record in records)
    assert len(seen) == 60
    assert max(seen.values()) == min(seen.values())


def test_a_and_aaaa_take_turns_apart():
    """Most clients ask for both each time: with one counter each would always see the same half."""
    made = crowd(2)
    firsts = []
    for _ in range(4):
        firsts.append(asked(made, "db.services.haystack", "A")[1][0])
        made.answer(dns.message.make_query("db.services.haystack", "AAAA").to_wire(), OWN, tcp=False)
    assert firsts[0] != firsts[1]
    assert firsts == firsts[:2] * 2


def test_two_workers_take_turns_together():
    with shared_counters() as file:
        row = packed(Mark(0), NodeRow(tuple(HostRow(bytes((10, 0, 0, n))) for n in range(4))))
        workers = []
        for _ in range(2):
            zone = Zone(wire.name("haystack"), 5)
            zone.put([(wire.name("db.haystack"), row)])
            zone.finish(1)
            workers.append(Responder(zone, Cache(0), Rotation(file.fileno())))
        query = wire.question(wire.name("db.haystack"), wire.A)
        firsts = [dns.message.from_wire(workers[n % 2].ask(query)).answer[0][0].to_text() for n in range(8)]
    assert firsts == [f"10.0.0.{n}" for n in range(4)] * 2


def test_the_shared_memory_has_the_size_that_is_mapped():
    with shared_counters() as file:
        assert file.seek(0, 2) == SIZE


def test_a_target_that_stands_twice_has_its_address_once():
    host = HostRow(bytes((10, 0, 0, 1)))
    other = HostRow(bytes((10, 0, 0, 2)))
    targets = tuple(
        TargetRow(100, port, wire.name(name), each)
        for port, name, each in ((1, "a.haystack", host), (2, "b.haystack", other), (3, "a.haystack", host))
    )
    zone = Zone(wire.name("haystack"), 5)
    zone.put([(wire.name("_x._tcp.haystack"), packed(Mark(0), NodeRow(targets=targets)))])
    zone.finish(1)
    made = Responder(zone, Cache(0), Rotation())
    for _ in range(3):
        message = dns.message.from_wire(made.ask(wire.question(wire.name("_x._tcp.haystack"), wire.SRV)))
        assert len(message.answer[0]) == 3
        assert sorted(rrset.name.to_text() for rrset in message.additional) == ["a.haystack.", "b.haystack."]
