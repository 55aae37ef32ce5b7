"""Nameservers that are dead, slow, forgetful, lying or garbled: the client has its answer, and the order is what was configured."""

import asyncio
import errno
import itertools
import random

import dns.flags
import dns.name
import dns.rcode
import dns.rdatatype
import dns.rrset
import pytest

from haystack.dns import wire
from haystack.dns.forward import exchange
from haystack.dns.forward.forwarder import SOCKETS, Limits
from haystack.dns.forward.nameservers import Nameserver
from haystack.dns.forward.times import TIMES
from tests.oracles.dns_answer import render
from tests.unit.dns.forward.client import FAST, forwarding, resolve, resolved, until
from tests.unit.dns.nameserver import (
    GOOD,
    SERVFAIL,
    TRUNCATED,
    FakeNameserver,
    cut_off,
    echoing,
    in_turn,
    lying_about_the_name,
    lying_about_the_type,
    over_tcp,
    says,
    silent,
)

OTHER = says("60 A 192.0.2.99")
FIRST, SECOND = "192.0.2.1", "192.0.2.99"


async def address(forwarder, name="example.com", **more):
    message = await resolve(forwarder, name, **more)
    return message.answer[0][0].to_text() if message.answer else dns.rcode.to_text(message.rcode())


def standing(forwarder, upstream):
    return next(each for each in forwarder.figures().nameservers if each.server == upstream.address)


async def test_a_lost_datagram_is_sent_again_and_moves_nothing():
    async with FakeNameserver(in_turn(silent, GOOD)) as lossy, FakeNameserver(OTHER) as next_one:
        forwarder = forwarding(lossy, next_one)  # the next one is asked 0.8 s after the datagram is sent again
        assert await address(forwarder) == FIRST
        assert lossy.queries[0] == lossy.queries[1]
        assert await address(forwarder, "b.example") == FIRST
        assert next_one.asked == 0
        assert standing(forwarder, lossy).skipped is None


async def test_a_single_nameserver_that_loses_two_datagrams_is_enough():
    async with FakeNameserver(in_turn(silent, silent, GOOD)) as lossy:
        assert await address(forwarding(lossy, times=FAST)) == FIRST


async def test_a_slow_nameserver_is_waited_for():
    async with FakeNameserver(silent) as slow:
        forwarder = forwarding(slow, times=FAST)
        waiting = asyncio.create_task(address(forwarder))
        await slow.arrived.wait()
        slow.reply = GOOD
        assert await waiting == FIRST


async def test_a_dead_nameserver_is_skipped_and_returned_to_once_it_is_back():
    times = FAST._replace(pause=0.02, resend=(0.01, 0.02, 0.03))
    async with FakeNameserver(silent) as dead, FakeNameserver(OTHER) as live:
        forwarder = forwarding(dead, live, times=times)
        assert await address(forwarder, "a.example") == SECOND
        assert standing(forwarder, dead).skipped is not None
        asked = dead.asked
        assert await address(forwarder, "b.example") == SECOND
        dead.reply = GOOD
        n = 0
        async with asyncio.timeout(5):
            while await address(forwarder, f"{n}.example") != FIRST:
                n += 1
        assert dead.asked > asked
        assert standing(forwarder, dead).skipped is None


async def test_a_skipped_nameserver_costs_nobody_anything():
    async with FakeNameserver(silent) as dead, FakeNameserver(OTHER) as live:
        forwarder = forwarding(dead, live, times=FAST._replace(pause=60.0))
        assert await address(forwarder) == SECOND
        asked = dead.asked
        for n in range(10):
            assert await address(forwarder, f"{n}.example") == SECOND
        assert dead.asked == asked


async def test_all_dead_is_servfail_within_the_limit_and_each_was_asked():
    async with FakeNameserver(silent) as one, FakeNameserver(silent) as two:
        forwarder = forwarding(one, two, times=FAST)
        async with asyncio.timeout(5):
            assert await address(forwarder) == "SERVFAIL"
        assert one.asked >= 3
        assert two.asked >= 2
        assert standing(forwarder, one).timeouts == 1


async def test_where_all_are_skipped_the_configured_order_holds():
    async with FakeNameserver(silent) as one, FakeNameserver(silent) as two:
        forwarder = forwarding(one, two, times=FAST)
        await address(forwarder)
        one.reply, two.reply = GOOD, OTHER
        assert await address(forwarder, "b.example") == FIRST


def short(query, tcp):
    return query.to_wire()[:2] + b"\x81\x80"


def pointing_at_itself(query, tcp):
    reply = says("60 CNAME other.example.")(query, tcp).to_wire()
    at = reply.index(b"\x05other")
    return reply[:at] + b"\xc0" + bytes((at,)) + reply[at + 2 :]


def without_a_question(query, tcp):
    return query.to_wire()[:2] + b"\x81\x80" + bytes(8)


@pytest.mark.parametrize(
    "reply",
    [lying_about_the_name, lying_about_the_type, echoing, cut_off, short, pointing_at_itself, without_a_question, SERVFAIL],
)
async def test_what_makes_no_sense_is_that_servers_failure_and_the_next_is_asked_at_once(reply):
    async with FakeNameserver(reply) as bad, FakeNameserver(OTHER) as good:
        forwarder = forwarding(bad, good, times=TIMES._replace(resend=(30.0,), limit=60.0, patience=60.0))
        async with asyncio.timeout(5):
            assert await address(forwarder) == SECOND
        assert sum(standing(forwarder, bad).failures.values()) == 1


async def test_what_has_another_id_is_passed_over():
    def reply(query, tcp):
        forged = OTHER(query, tcp)
        forged.id ^= 1
        return [forged.to_wire(), forged.to_wire()[:20], b"", b"\0", GOOD(query, tcp)]

    async with FakeNameserver(reply) as upstream:
        forwarder = forwarding(upstream)
        assert await address(forwarder) == FIRST
        assert standing(forwarder, upstream).failures == {}


async def test_when_somebody_guesses_ids_it_is_asked_over_tcp():
    def reply(query, tcp):
        if tcp:
            return GOOD(query, tcp)
        forged = OTHER(query, tcp)
        forged.id ^= 1
        return [forged] * 60

    async with FakeNameserver(reply) as upstream:
        assert await address(forwarding(upstream)) == FIRST


async def test_the_case_of_a_name_is_random_and_so_are_id_and_port():
    async with FakeNameserver(GOOD) as upstream:
        forwarder = forwarding(upstream)
        for n in range(20):
            await resolve(forwarder, f"a-name-with-many-letters-{n}.example.com")
        names = {query[12:].split(b"\x07", 1)[0] for query in upstream.queries}
        assert all(name != name.lower() for name in names)
        assert len({query[:2] for query in upstream.queries}) > 15
        assert len(set(upstream.ports)) > 15
        assert len({after - before for before, after in itertools.pairwise(upstream.ports)}) > 15  # nor can the next one be counted


async def test_the_client_sees_its_own_case():
    async with FakeNameserver(GOOD) as upstream:
        message = await resolve(forwarding(upstream), "ExAmPle.cOm")
        assert message.question[0].name.to_text() == message.answer[0].name.to_text() == "ExAmPle.cOm."


def lower_case(query, tcp):
    made = GOOD(query, tcp)
    name = dns.name.from_text(query.question[0].name.to_text().lower())
    made.question[0].name = made.answer[0].name = name
    return made


async def test_a_nameserver_that_does_not_keep_the_case_is_asked_in_lower_case():
    async with FakeNameserver(lower_case) as upstream:
        forwarder = forwarding(upstream)
        assert await address(forwarder, "a-name-with-many-letters.example.com") == FIRST
        assert upstream.asked == 2
        assert await address(forwarder, "another-name-with-many-letters.example.com") == FIRST
        assert upstream.asked == 3  # it is remembered


async def test_one_answer_in_another_case_is_not_accepted_and_changes_nothing():
    """It may be forged: the id can be guessed with less than the case."""

    def forged(query, tcp):
        made = lower_case(query, tcp)
        made.answer[0] = dns.rrset.from_text(made.question[0].name, 60, "IN", "A", "203.0.113.66")
        return made

    async with FakeNameserver(in_turn(forged, GOOD)) as upstream:
        assert await address(forwarding(upstream), "a-name-with-many-letters.example.com") == FIRST


@pytest.mark.parametrize("reply", [silent, TRUNCATED, cut_off, lying_about_the_name, SERVFAIL])
async def test_without_tcp_what_is_cut_off_is_that_servers_failure(reply):
    async with FakeNameserver(over_tcp(reply)) as bad, FakeNameserver(OTHER) as good:
        assert await address(forwarding(bad, good, times=FAST)) == SECOND
        found = await resolved(forwarding(bad, times=FAST))
        assert found.packed == wire.Packed(wire.RA | wire.SERVFAIL)  # and no answer that looks empty, or cut off over TCP


async def test_tcp_that_hangs_is_that_servers_failure():
    held = []

    async def hang(_reader, writer):
        held.append(writer)

    async with FakeNameserver(TRUNCATED) as bad, FakeNameserver(OTHER) as good:
        bad.tcp.close()
        server = await asyncio.start_server(hang, "127.0.0.1", bad.address.port, reuse_address=True, reuse_port=False)
        assert await address(forwarding(bad, good, times=FAST._replace(tcp=0.05))) == SECOND
        for writer in held:
            writer.close()
        server.close()
        await server.wait_closed()


async def test_a_nameserver_that_is_not_there_at_all_is_no_long_wait():
    async with FakeNameserver(silent) as gone:
        pass
    async with FakeNameserver(OTHER) as good:
        forwarder = forwarding(gone.address, good, times=TIMES._replace(resend=(30.0,), limit=60.0))
        async with asyncio.timeout(5):
            assert await address(forwarder) == SECOND


async def test_a_network_that_can_not_be_reached_is_no_wait_either():
    async with FakeNameserver(OTHER) as good:
        forwarder = forwarding(Nameserver("255.255.255.255"), good, times=TIMES._replace(resend=(30.0,), limit=60.0))
        async with asyncio.timeout(5):
            assert await address(forwarder) == SECOND
        assert forwarder.figures().nameservers[0].failures == {"unreachable": 1}


async def test_without_a_descriptor_it_is_no_nameservers_fault(monkeypatch):
    def none(*_):
        raise OSError(errno.EMFILE, "Too many open files")

    async with FakeNameserver(GOOD) as upstream:
        forwarder = forwarding(upstream)
        with monkeypatch.context() as patched:
            patched.setattr(exchange.socket, "socket", none)
            assert (await resolved(forwarder)).source == "failure"
        assert standing(forwarder, upstream).failures == {"shortage": 1}
        assert standing(forwarder, upstream).skipped is None


async def test_without_a_spare_socket_the_next_is_asked_once_the_first_has_failed():
    async with FakeNameserver(silent) as first, FakeNameserver(OTHER) as second:
        forwarder = forwarding(first, second, times=FAST._replace(limit=5.0, resend=tuple(n / 50 for n in range(1, 200))))
        for n in range(SOCKETS):
            forwarder._means.spare.of(str(n)).take()
        waiting = asyncio.create_task(address(forwarder))
        await until(lambda: first.asked > 3)
        assert second.asked == 0
        first.reply = SERVFAIL
        assert await waiting == SECOND


async def test_any_bytes_at_all_break_nothing():
    source = random.Random(7)

    def reply(query, tcp):
        good = bytearray(GOOD(query, tcp).to_wire())
        for _ in range(source.randrange(1, 6)):
            good[source.randrange(2, len(good))] = source.randrange(256)
        return bytes(good[: source.randrange(12, len(good) + 1)])

    async with FakeNameserver(reply) as bad, FakeNameserver(OTHER) as good:
        forwarder = forwarding(bad, good, times=FAST._replace(pause=0.0))
        for n in range(300):
            found = await resolved(forwarder, f"{n}.example")
            assert found.source in ("upstream", "failure")
            render(found.packed, wire.parse(wire.question(wire.name(f"{n}.example"), 1)), tcp=False)


@pytest.mark.parametrize("reply", [silent, GOOD, SERVFAIL])
async def test_sockets_for_second_nameservers_are_given_back(reply):
    async with FakeNameserver(silent) as dead, FakeNameserver(silent) as dying, FakeNameserver(silent) as third:
        forwarder = forwarding(dead, dying, third, times=FAST, limits=Limits(sockets=40))
        waiting = [asyncio.create_task(resolve(forwarder, f"{n}.example")) for n in range(8)]
        await until(lambda: forwarder._means.spare._places.used > 3)
        third.reply = reply
        await asyncio.gather(*waiting)
        assert forwarder._means.spare._places.used == 0


async def test_figures_tell_how_each_nameserver_is():
    async with FakeNameserver(SERVFAIL) as bad, FakeNameserver(OTHER) as good:
        forwarder = forwarding(bad, good)
        await resolve(forwarder)
        one, two = forwarder.figures().nameservers
        assert (one.server, one.questions, one.failures, one.timeouts, one.skipped) == (bad.address, 1, {"servfail": 1}, 0, None)
        assert (two.server, two.questions, two.failures) == (good.address, 1, {})
        assert 0 < two.rtt < 5
