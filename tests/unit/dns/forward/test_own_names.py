"""Aliases that lead to names of ours: with our records, as the client who asks may see them now."""

import dns.rcode

from haystack.dns import wire
from haystack.dns.forward.forwarder import Forwarder
from haystack.dns.forward.routes import Routes
from haystack.dns.local_names import LocalNames, reached_from
from haystack.net.rights import Right
from tests.unit.dns.conftest import picture
from tests.unit.dns.forward.client import Clock, addresses, resolve, resolved
from tests.unit.dns.nameserver import FakeNameserver, says

ALIAS = says("60 CNAME redis.services.haystack.")
FRIEND, STRANGER = "127.0.0.2", "127.0.0.3"


def rights(client):
    return Right.RECURSION | (Right.INSIDE if client == FRIEND else 0)


def forwarding(responder, upstream, **more):
    return Forwarder(Routes(addresses(upstream)), LocalNames(responder.feed, lambda client: (rights(client), 0)), **more)


async def test_our_records_are_as_they_are_now(responder):
    clock = Clock()
    async with FakeNameserver(ALIAS) as upstream:
        forwarder = forwarding(responder, upstream, clock=clock)
        first = await resolve(forwarder, client=FRIEND)
        assert sorted(each.to_text() for each in first.answer[1]) == ["172.17.0.3", "172.17.0.4"]
        assert first.answer[1].ttl == 5
        clock.now += 50
        responder.publish(picture())
        later = await resolve(forwarder, client=FRIEND)
        assert (later.rcode(), later.answer[0].ttl, len(later.answer)) == (dns.rcode.NXDOMAIN, 10, 1)
        assert upstream.asked == 1


async def test_other_types_are_answered_by_our_soa(responder):
    async with FakeNameserver(ALIAS) as upstream:
        found = await resolve(forwarding(responder, upstream), rdtype="MX", client=FRIEND)
    assert (found.rcode(), len(found.answer), found.authority[0].name.to_text()) == (dns.rcode.NOERROR, 1, "haystack.")


async def test_a_client_that_may_not_see_them_has_the_alias_alone(responder):
    async with FakeNameserver(ALIAS) as upstream:
        forwarder = forwarding(responder, upstream)
        assert len((await resolve(forwarder, client=FRIEND)).answer) == 2
        found = await resolve(forwarder, client=STRANGER)
        assert (found.rcode(), len(found.answer)) == (dns.rcode.NOERROR, 1)


async def test_an_answer_for_one_client_is_kept_for_no_other(responder):
    async with FakeNameserver(says("60 CNAME nginx.services.haystack.")) as upstream:
        forwarder = forwarding(responder, upstream)
        for client in (FRIEND, STRANGER):
            found = await resolved(forwarder, client=client)
            assert found.lifetime == 0
        taken = wire.parse(wire.question(wire.name("example.com"), 1))
        assert forwarder.cached(taken) is None  # only resolve knows who asks
        assert (await forwarder.resolve(taken, FRIEND)).source == "cache"


async def test_our_own_address_is_the_one_that_the_client_reaches(responder):
    async with FakeNameserver(says("60 CNAME nginx.services.haystack.")) as upstream:
        found = await resolve(forwarding(responder, upstream), client=FRIEND)
    assert found.answer[1][0].to_text() == reached_from(FRIEND) != "0.0.0.0"


def test_an_address_that_can_not_be_reached_reaches_nothing():
    assert reached_from("no address") == "0.0.0.0"
    assert reached_from("fe80::") == "::" or ":" in reached_from("fe80::")
