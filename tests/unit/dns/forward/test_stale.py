"""RFC 8767: when no nameserver answers, what has expired is given, and says that it is."""

import asyncio

import dns.edns
import dns.rcode

from haystack.dns.forward.forwarder import Limits
from haystack.dns.forward.times import TIMES
from tests.unit.dns.forward.client import FAST, Clock, forwarding, resolve, resolved, until
from tests.unit.dns.nameserver import GOOD, NXDOMAIN, SERVFAIL, FakeNameserver, silent


def errors(message):
    return [option.code for option in message.options]


async def test_a_stale_answer_is_given_when_all_fail():
    clock = Clock()
    async with FakeNameserver(GOOD) as upstream:
        forwarder = forwarding(upstream, clock=clock)
        await resolve(forwarder)
        upstream.reply = SERVFAIL
        clock.now += 3600
        message = await resolve(forwarder, use_edns=0)
        assert (message.answer[0].ttl, errors(message)) == (30, [dns.edns.EDECode.STALE_ANSWER])
        assert (await resolve(forwarder, use_edns=0)).answer  # within the second of the failure too
        assert upstream.asked == 2
        assert forwarder.figures().cache.stale == 2


async def test_a_stale_no_says_so():
    clock = Clock()
    async with FakeNameserver(NXDOMAIN) as upstream:
        forwarder = forwarding(upstream, clock=clock)
        await resolve(forwarder)
        upstream.reply = SERVFAIL
        clock.now += 60
        message = await resolve(forwarder, use_edns=0)
        assert (message.rcode(), errors(message)) == (dns.rcode.NXDOMAIN, [dns.edns.EDECode.STALE_NXDOMAIN_ANSWER])


async def test_after_a_day_it_is_gone():
    clock = Clock()
    async with FakeNameserver(GOOD) as upstream:
        forwarder = forwarding(upstream, clock=clock)
        await resolve(forwarder)
        upstream.reply = SERVFAIL
        clock.now += 60 + 86_400
        assert (await resolve(forwarder)).rcode() == dns.rcode.SERVFAIL


async def test_a_client_waits_for_a_silent_nameserver_only_a_moment():
    clock = Clock()
    async with FakeNameserver(GOOD) as upstream:
        forwarder = forwarding(upstream, clock=clock, times=TIMES._replace(limit=60.0, patience=0.02))
        await resolve(forwarder)
        upstream.reply = silent
        clock.now += 60
        async with asyncio.timeout(5):
            assert (await resolved(forwarder)).source == "stale"
            assert (await resolved(forwarder)).source == "stale"  # who joins later does not wait at all
        assert forwarder.figures().outstanding == 1
        await forwarder.close()


async def test_it_is_fresh_again_as_soon_as_a_nameserver_answers():
    clock = Clock()
    async with FakeNameserver(GOOD) as upstream:
        forwarder = forwarding(upstream, clock=clock, times=FAST._replace(failure=1.0, recheck=30.0))
        await resolve(forwarder)
        upstream.reply = SERVFAIL
        clock.now += 60
        assert (await resolved(forwarder)).source == "stale"
        upstream.reply = GOOD
        clock.now += 2
        assert (await resolved(forwarder)).source == "stale"  # at once: a moment ago all had failed; and the question is asked beside
        await until(lambda: not forwarder.figures().outstanding)
        assert (await resolved(forwarder)).source == "cache"


async def test_who_waits_for_a_socket_has_it_too():
    clock = Clock()
    async with FakeNameserver(GOOD) as upstream:
        times = TIMES._replace(limit=60.0, patience=0.02)
        forwarder = forwarding(upstream, clock=clock, times=times, limits=Limits(sockets=1))
        await resolve(forwarder)
        upstream.reply = silent
        upstream.arrived.clear()
        clock.now += 60
        waiting = asyncio.create_task(resolved(forwarder, "other.example", client="10.0.0.1"))
        await upstream.arrived.wait()
        async with asyncio.timeout(5):
            assert (await resolved(forwarder)).source == "stale"
        await forwarder.close()
        await waiting


async def test_who_waited_for_a_socket_in_vain_has_it_too():
    clock = Clock()
    async with FakeNameserver(GOOD) as upstream:
        times = TIMES._replace(limit=0.05, patience=30.0)
        forwarder = forwarding(upstream, clock=clock, times=times, limits=Limits(sockets=1))
        await resolve(forwarder)
        clock.now += 60
        forwarder._asking._places.take("somebody")
        assert (await resolved(forwarder)).source == "stale"


async def test_what_is_answered_meanwhile_is_better_than_stale():
    clock = Clock()
    async with FakeNameserver(GOOD) as upstream:
        forwarder = forwarding(upstream, clock=clock)
        await resolve(forwarder)
        clock.now += 60
        assert (await resolved(forwarder)).source == "upstream"
