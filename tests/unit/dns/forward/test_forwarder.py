"""Forwarding: the cache, the next server, one question in flight, and no loop."""

import asyncio

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import pytest

from haystack.dns import exchange, forward, wire
from haystack.dns.forward import Forwarder
from haystack.dns.responder import Forward
from haystack.dns.upstreams import Nameserver
from tests.unit.dns.nameserver import SOA, FakeNameserver, says, silent


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


async def resolve(forwarder, name="example.com", rdtype="A", *, tcp=False, **more):
    query = dns.message.make_query(name, rdtype, **more)
    reply = await forwarder.resolve(Forward(wire.parse(query.to_wire()), tcp))
    message = dns.message.from_wire(reply)
    assert query.is_response(message)
    return message


async def test_an_answer_is_kept_and_ages():
    clock = Clock()
    async with FakeNameserver(says("60 A 192.0.2.1", "40 A 192.0.2.2")) as upstream:
        forwarder = Forwarder((upstream.address,), clock=clock)
        first = await resolve(forwarder)
        assert not first.flags & dns.flags.AA
        assert first.flags & dns.flags.RA
        clock.now += 30
        later = await resolve(forwarder, "EXAMPLE.com", use_edns=0)
        assert {rrset.ttl for rrset in later.answer} == {first.answer[0].ttl - 30}
        assert later.answer[0].name.to_text() == "EXAMPLE.com."
        assert later.edns == 0
        assert upstream.asked == 1
        clock.now += 10
        await resolve(forwarder)
        assert upstream.asked == 2


async def test_no_is_kept_as_long_as_its_soa_says():
    clock = Clock()
    async with FakeNameserver(says(rcode=dns.rcode.NXDOMAIN, authority=[f"900 SOA {SOA}"])) as upstream:
        forwarder = Forwarder((upstream.address,), clock=clock)
        for after, asked in ((0, 1), (29, 1), (1, 2)):
            clock.now += after
            assert (await resolve(forwarder)).rcode() == dns.rcode.NXDOMAIN
            assert upstream.asked == asked


@pytest.mark.parametrize("reply", [says(rcode=dns.rcode.NXDOMAIN), says("0 A 192.0.2.1"), says(rcode=dns.rcode.SERVFAIL)])
async def test_what_gives_no_lifetime_is_not_kept(reply):
    async with FakeNameserver(reply) as upstream:
        forwarder = Forwarder((upstream.address,))
        await resolve(forwarder)
        await resolve(forwarder)
        assert upstream.asked == 2


async def test_an_hour_is_the_longest_and_the_cache_is_bounded(monkeypatch):
    monkeypatch.setattr(forward, "CACHED", 2)
    clock = Clock()
    async with FakeNameserver(says("86400 A 192.0.2.1")) as upstream:
        forwarder = Forwarder((upstream.address,), clock=clock)
        for name in ("a.example", "b.example", "a.example", "c.example", "a.example"):
            await resolve(forwarder, name)
        assert upstream.asked == 3
        await resolve(forwarder, "b.example")
        assert upstream.asked == 4
        clock.now += 3600
        await resolve(forwarder, "b.example")
        assert upstream.asked == 5


async def test_the_next_server_is_asked_when_one_is_silent_and_first_thereafter():
    async with FakeNameserver(silent) as dead, FakeNameserver(says("60 A 192.0.2.1")) as live:
        forwarder = Forwarder((dead.address, live.address), timeout=0.05)
        assert (await resolve(forwarder)).answer
        assert (await resolve(forwarder, "other.example")).answer
        assert (dead.asked, live.asked) == (1, 2)


@pytest.mark.parametrize("reply", [says(rcode=dns.rcode.SERVFAIL), says(rcode=dns.rcode.REFUSED)])
async def test_the_next_server_is_asked_when_one_fails(reply):
    async with FakeNameserver(reply) as bad, FakeNameserver(says("60 A 192.0.2.1")) as good:
        assert (await resolve(Forwarder((bad.address, good.address)))).answer


async def test_servfail_says_why_where_there_is_no_server():
    message = await resolve(Forwarder(()), use_edns=0)
    assert message.rcode() == dns.rcode.SERVFAIL
    assert message.options[0].code == dns.edns.EDECode.NO_REACHABLE_AUTHORITY
    assert (await resolve(Forwarder(()))).edns == -1


async def test_servfail_says_why_where_none_answers():
    async with FakeNameserver(silent) as dead:
        message = await resolve(Forwarder((dead.address,), timeout=0.05), use_edns=0)
    assert message.rcode() == dns.rcode.SERVFAIL
    assert message.options[0].code == dns.edns.EDECode.NETWORK_ERROR


async def test_a_port_where_nobody_listens_is_no_long_wait():
    async with FakeNameserver(silent) as gone:
        pass
    async with asyncio.timeout(5):
        assert (await resolve(Forwarder((gone.address,), timeout=30))).rcode() == dns.rcode.SERVFAIL


async def test_a_question_in_flight_is_shared():
    async with FakeNameserver(says("0 A 192.0.2.1")) as upstream:
        forwarder = Forwarder((upstream.address,))
        replies = await asyncio.gather(*(resolve(forwarder) for _ in range(20)))
        assert all(reply.answer for reply in replies)
        assert upstream.asked == 1


async def test_beyond_the_cap_it_is_servfail_at_once(monkeypatch):
    monkeypatch.setattr(forward, "WAITING", 1)
    async with FakeNameserver(silent) as upstream:
        forwarder = Forwarder((upstream.address,), timeout=30)
        waiting = asyncio.create_task(resolve(forwarder))
        await upstream.arrived.wait()
        assert (await resolve(forwarder, "b.example")).rcode() == dns.rcode.SERVFAIL
        waiting.cancel()
        await forwarder.close()


async def test_a_truncated_reply_is_asked_again_over_tcp():
    def reply(query, tcp):
        if tcp:
            return says(*(f"60 A 192.0.2.{n}" for n in range(100)))(query, tcp)
        return says(flags=dns.flags.TC)(query, tcp)

    async with FakeNameserver(reply) as upstream:
        forwarder = Forwarder((upstream.address,))
        assert len((await resolve(forwarder, tcp=True)).answer[0]) == 100
        over_udp = await resolve(forwarder)
        assert over_udp.flags & dns.flags.TC
        assert over_udp.answer
        assert upstream.asked == 2


async def test_our_own_question_coming_back_is_refused():
    forwarder = Forwarder(())

    def reply(query, tcp):
        back = Forward(wire.parse(query.to_wire()), tcp)
        returned.append(asyncio.create_task(forwarder.resolve(back)))

    returned = []
    async with FakeNameserver(reply) as upstream:
        forwarder._timeout, forwarder.servers = 0.2, (upstream.address,)
        await resolve(forwarder)
        assert (await returned[0])[3] & 15 == wire.REFUSED


ASKED = exchange.message(wire.parse(wire.question(wire.name("example.com"), 1)))


@pytest.mark.parametrize(
    "reply",
    [
        b"",
        ASKED,  # no response
        bytes((ASKED[0] ^ 1, ASKED[1], 0x80)) + ASKED[3:],  # another id
        ASKED[:2] + b"\x80" + ASKED[3:12] + ASKED[12:].replace(b"example", b"exampla"),  # another name
        ASKED[:2] + b"\x80" + ASKED[3:4] + b"\0\2" + ASKED[6:],  # two questions
        ASKED[:2] + b"\x80\0" + bytes(8),  # success without a question
    ],
)
def test_what_is_no_reply_to_our_question_is_not_taken(reply):
    assert not exchange.answers(ASKED, reply)


async def test_garbage_that_looks_like_a_reply_is_a_failure_of_that_server():
    def reply(query, tcp):
        good = says("60 A 192.0.2.1")(query, tcp).to_wire()
        return good[:40]

    async with FakeNameserver(reply) as bad, FakeNameserver(says("60 A 192.0.2.1")) as good:
        forwarder = Forwarder((bad.address, good.address))
        assert (await resolve(forwarder)).answer
        assert forwarder.servers == (Nameserver(*good.address), Nameserver(*bad.address))


async def test_a_nameserver_that_knows_no_edns_is_asked_without():
    def reply(query, tcp):
        if query.edns >= 0:
            return query.to_wire()[:2] + b"\x81\x01" + bytes(8)
        return says("60 A 192.0.2.1")(query, tcp)

    async with FakeNameserver(reply) as upstream:
        assert (await resolve(Forwarder((upstream.address,)), use_edns=0)).answer
        assert upstream.asked == 2
