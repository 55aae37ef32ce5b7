"""Forwarding: the cache, the next server, one question in flight, and no loop."""

import asyncio

import dns.edns
import dns.flags
import dns.message
import dns.rcode
import pytest

from haystack.dns import wire
from haystack.dns.forward.forwarder import Limits
from haystack.dns.forward.times import TIMES
from tests.unit.dns.forward.client import FAST, Clock, forwarding, parsed, resolve, resolved, until
from tests.unit.dns.nameserver import GOOD, NXDOMAIN, SERVFAIL, SOA, FakeNameserver, says, silent


async def test_an_answer_is_kept_and_ages():
    clock = Clock()
    async with FakeNameserver(says("60 A 192.0.2.1", "40 A 192.0.2.2")) as upstream:
        forwarder = forwarding(upstream, clock=clock)
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
        forwarder = forwarding(upstream, clock=clock)
        for after, asked in ((0, 1), (29, 1), (1, 2)):
            clock.now += after
            assert (await resolve(forwarder)).rcode() == dns.rcode.NXDOMAIN
            assert upstream.asked == asked


@pytest.mark.parametrize("reply", [says(rcode=dns.rcode.NXDOMAIN), says("0 A 192.0.2.1"), says(rcode=dns.rcode.SERVFAIL)])
async def test_what_gives_no_lifetime_is_not_kept(reply):
    clock = Clock()
    async with FakeNameserver(reply) as upstream:
        forwarder = forwarding(upstream, clock=clock)
        await resolve(forwarder)
        clock.now += 1
        await resolve(forwarder)
        assert upstream.asked == 2


async def test_a_day_is_the_longest():
    clock = Clock()
    async with FakeNameserver(says("604800 A 192.0.2.1")) as upstream:
        forwarder = forwarding(upstream, clock=clock)
        assert (await resolved(forwarder)).lifetime == 86_400
        clock.now += 86_399
        assert (await resolve(forwarder)).answer[0].ttl == 604_800 - 86_399
        assert upstream.asked == 1
        clock.now += 1
        await resolve(forwarder)
        assert upstream.asked == 2


async def test_three_hours_is_the_longest_for_what_is_not_there():
    async with FakeNameserver(says(authority=["604800 SOA ns.example. host.example. 1 2 3 4 604800"])) as upstream:
        forwarder = forwarding(upstream)
        assert (await resolved(forwarder)).lifetime == 10_800
        assert (await resolve(forwarder)).authority[0].ttl == 10_800


async def test_names_that_nobody_asks_for_leave_a_full_cache():
    async with FakeNameserver(GOOD) as upstream:
        forwarder = forwarding(upstream, limits=Limits(memory=1800))
        for name in ("a.example", "b.example", "a.example", "c.example", "a.example"):
            await resolve(forwarder, name)
        assert upstream.asked == 3
        await resolve(forwarder, "b.example")
        assert upstream.asked == 4


async def test_answers_of_63_kb_stay_within_the_bound():
    records = b"".join(b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0" + n.to_bytes(3, "big") for n in range(3900))

    def reply(query, tcp):
        asked = query.to_wire()
        whole = asked[:2] + b"\x85\x80\0\1" + (3900).to_bytes(2, "big") + bytes(4) + asked[12:].removesuffix(wire.opt_record(False))
        return whole + records if tcp else says(flags=dns.flags.TC)(query, tcp)

    async with FakeNameserver(reply) as upstream:
        forwarder = forwarding(upstream, limits=Limits(memory=1 << 20))
        for n in range(30):
            assert len((await resolved(forwarder, f"{n}.example.com")).packed.body) == len(records)
        figures = forwarder.figures().cache
        assert figures.bytes <= 1 << 20
        assert 10 < figures.entries < 17


@pytest.mark.parametrize("reply", [SERVFAIL, says(rcode=dns.rcode.REFUSED), says(rcode=dns.rcode.YXDOMAIN)])
async def test_the_next_server_is_asked_when_one_fails(reply):
    async with FakeNameserver(reply) as bad, FakeNameserver(says("60 A 192.0.2.1")) as good:
        assert (await resolve(forwarding(bad, good))).answer


async def test_servfail_says_why_where_there_is_no_server():
    message = await resolve(forwarding(), use_edns=0)
    assert message.rcode() == dns.rcode.SERVFAIL
    assert message.options[0].code == dns.edns.EDECode.NO_REACHABLE_AUTHORITY
    assert (await resolve(forwarding())).edns == -1


async def test_servfail_says_why_where_none_answers():
    async with FakeNameserver(silent) as dead:
        message = await resolve(forwarding(dead, times=FAST), use_edns=0)
    assert message.rcode() == dns.rcode.SERVFAIL
    assert message.options[0].code == dns.edns.EDECode.NETWORK_ERROR


async def test_a_port_where_nobody_listens_is_no_long_wait():
    async with FakeNameserver(silent) as gone:
        pass
    async with asyncio.timeout(5):
        assert (await resolve(forwarding(gone, times=TIMES))).rcode() == dns.rcode.SERVFAIL


async def test_a_question_in_flight_is_shared():
    async with FakeNameserver(says("0 A 192.0.2.1")) as upstream:
        forwarder = forwarding(upstream)
        replies = await asyncio.gather(*(resolve(forwarder) for _ in range(20)))
        assert all(reply.answer for reply in replies)
        assert upstream.asked == 1


async def test_a_truncated_reply_is_asked_again_over_tcp():
    def reply(query, tcp):
        if tcp:
            return says(*(f"60 A 192.0.2.{n}" for n in range(100)))(query, tcp)
        return says(flags=dns.flags.TC)(query, tcp)

    async with FakeNameserver(reply) as upstream:
        forwarder = forwarding(upstream)
        assert len((await resolve(forwarder, tcp=True)).answer[0]) == 100
        over_udp = await resolve(forwarder)
        assert over_udp.flags & dns.flags.TC
        assert over_udp.answer
        assert upstream.asked == 2


async def test_a_nameserver_that_knows_no_edns_is_asked_without():
    def reply(query, tcp):
        if query.edns >= 0:
            return query.to_wire()[:2] + b"\x81\x01" + bytes(8)
        return says("60 A 192.0.2.1")(query, tcp)

    async with FakeNameserver(reply) as upstream:
        forwarder = forwarding(upstream)
        assert (await resolve(forwarder, use_edns=0)).answer
        assert upstream.asked == 2
        assert (await resolve(forwarder, "other.example", use_edns=0)).answer
        assert upstream.asked == 3  # and that is remembered


@pytest.mark.parametrize("reply", [SERVFAIL, silent, NXDOMAIN])
async def test_a_failure_is_kept_for_a_second(reply):
    """RFC 9520."""
    clock = Clock()
    async with FakeNameserver(reply) as upstream:
        forwarder = forwarding(upstream, clock=clock, times=FAST._replace(failure=1.0))
        first = await resolve(forwarder, use_edns=0)
        asked = upstream.asked
        assert (await resolve(forwarder, use_edns=0)).options == first.options
        assert upstream.asked == asked
        if reply is not NXDOMAIN:
            clock.now += 1
            await resolve(forwarder)
            assert upstream.asked > asked


async def test_a_name_that_is_not_there_is_so_for_all_types_and_all_names_below():
    """RFC 8020."""
    async with FakeNameserver(NXDOMAIN) as upstream:
        forwarder = forwarding(upstream)
        await resolve(forwarder, "gone.example.com")
        assert (await resolve(forwarder, "gone.example.com", "AAAA")).rcode() == dns.rcode.NXDOMAIN
        below = await resolve(forwarder, "www.GONE.example.com", use_edns=0)
        assert below.rcode() == dns.rcode.NXDOMAIN
        assert below.authority[0].name.to_text() == "gone.example.com."
        assert below.authority[0].to_rdataset().rdtype.name == "SOA"
        assert upstream.asked == 1
        await resolve(forwarder, "example.com")
        assert upstream.asked == 2


async def test_who_asks_for_proofs_below_a_name_that_is_not_there_gets_its_own():
    async with FakeNameserver(NXDOMAIN) as upstream:
        forwarder = forwarding(upstream)
        await resolve(forwarder, "gone.example.com", want_dnssec=True)
        await resolve(forwarder, "www.gone.example.com", want_dnssec=True)
        assert upstream.asked == 2


async def test_the_target_of_an_alias_that_is_not_there_does_not_deny_the_alias():
    async with FakeNameserver(says("60 CNAME gone.example.", rcode=dns.rcode.NXDOMAIN, authority=[f"900 SOA {SOA}"])) as upstream:
        forwarder = forwarding(upstream)
        assert (await resolve(forwarder, "alias.example.com")).answer
        await resolve(forwarder, "below.alias.example.com")
        assert upstream.asked == 2


async def test_thousands_wait_for_one_question():
    async with FakeNameserver(silent) as upstream:
        forwarder = forwarding(upstream, times=TIMES._replace(limit=60.0))
        waiting = [asyncio.create_task(resolve(forwarder)) for _ in range(5000)]
        await upstream.arrived.wait()
        assert forwarder.figures().outstanding == forwarder.figures().asked == 1
        upstream.reply = GOOD
        assert all(reply.answer for reply in await asyncio.gather(*waiting))


async def test_a_hot_name_is_asked_for_before_its_time_and_only_then():
    clock = Clock()
    async with FakeNameserver(GOOD) as upstream:
        forwarder = forwarding(upstream, clock=clock)
        await resolved(forwarder)
        assert (await resolved(forwarder, hot=True)).source == "cache"
        clock.now += 55
        fresh = await resolved(forwarder, hot=True)
        assert (fresh.source, fresh.lifetime, upstream.asked) == ("upstream", 60, 2)
        upstream.reply = SERVFAIL
        clock.now += 55
        kept = await resolved(forwarder, hot=True)
        assert (kept.source, kept.lifetime) == ("cache", 5)


async def test_a_name_that_is_asked_for_often_is_fetched_while_it_is_still_there():
    clock = Clock()
    async with FakeNameserver(GOOD) as upstream:
        forwarder = forwarding(upstream, clock=clock)
        await resolved(forwarder)
        clock.now += 55
        upstream.arrived.clear()
        for _ in range(3):
            assert forwarder.cached(parsed()).source == "cache"
        await upstream.arrived.wait()
        await until(lambda: not forwarder.figures().outstanding)
        clock.now += 5
        assert forwarder.cached(parsed()).lifetime == 55
        assert forwarder.figures().cache[2:] == (4, 1, 0, 1)


async def test_ttls_and_lifetime_are_as_of_now():
    clock = Clock()
    async with FakeNameserver(says("60 A 192.0.2.1")) as upstream:
        forwarder = forwarding(upstream, clock=clock)
        first = await resolved(forwarder)
        assert (first.source, first.lifetime, first.server) == ("upstream", 60, f"127.0.0.1:{upstream.address.port}")
        clock.now += 20
        kept = forwarder.cached(parsed())
        assert (kept.source, kept.lifetime) == ("cache", 40)
        assert (await resolve(forwarder)).answer[0].ttl == 40


async def test_a_query_that_breaks_something_is_servfail(monkeypatch, caplog):
    async with FakeNameserver(GOOD) as upstream:
        forwarder = forwarding(upstream)
        monkeypatch.setattr(forwarder._cache, "entry", None)
        assert (await resolved(forwarder)).source == "failure"


@pytest.mark.parametrize("code", [*range(2, 16)])
async def test_a_nameservers_failure_is_servfail_for_the_client(code):
    if code == dns.rcode.NXDOMAIN:
        return
    async with FakeNameserver(says(rcode=code)) as upstream:
        assert (await resolve(forwarding(upstream))).rcode() == dns.rcode.SERVFAIL
