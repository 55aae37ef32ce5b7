"""A nameserver of ours that asks us: it ends, is told once a minute, and gives nobody a way to find out what is outstanding."""

import asyncio

import dns.message
import structlog.testing

from haystack.dns import wire
from tests.unit.dns.forward.client import FAST, forwarding, resolve, until
from tests.unit.dns.nameserver import GOOD, SERVFAIL, FakeNameserver, silent

NAME = "a-name-with-many-letters.example.com"


async def test_our_own_question_coming_back_is_refused_and_told_once():
    returned = []

    def forwards_to_us(query, tcp):
        returned.append(asyncio.create_task(forwarder.resolve(wire.parse(query.to_wire()), "127.0.0.1")))

    with structlog.testing.capture_logs() as lines:
        async with FakeNameserver(forwards_to_us) as upstream:
            forwarder = forwarding(upstream, times=FAST)
            await resolve(forwarder, NAME)
            await resolve(forwarder, f"x.{NAME}")
            assert {(await each).source for each in returned} == {"refused"}
            await forwarder.close()
    told = [line for line in lines if line["event"] == "dns.loop_found"]
    assert (told[0]["log_level"], told[0]["name"]) == ("warning", NAME)
    assert len([line for line in told if "name" in line]) == 1


async def test_who_guesses_a_question_that_is_outstanding_waits_like_everybody():
    """A query with the id and name of one outstanding was REFUSED at once: an oracle, with which ids could be found out (RFC 5452)."""
    async with FakeNameserver(silent) as upstream:
        forwarder = forwarding(upstream, times=FAST)
        waiting = asyncio.create_task(resolve(forwarder, NAME))
        await upstream.arrived.wait()
        exact = wire.parse(upstream.queries[0])
        guesses = [asyncio.create_task(forwarder.resolve(exact, f"10.1.1.{n}")) for n in range(10)]
        # From the nameserver's own address, but without the case, which only it has seen.
        plain = wire.parse(dns.message.make_query(NAME, "A", id=int.from_bytes(exact.id, "big"), flags=exact.flags).to_wire())
        guesses.append(asyncio.create_task(forwarder.resolve(plain, "127.0.0.1")))
        done, _ = await asyncio.wait(guesses, timeout=0.02)
        assert not done
        upstream.reply = GOOD
        assert {(await each).source for each in guesses} == {"upstream"}
        await waiting


async def test_a_loop_that_changes_the_case_ends_with_the_time_and_is_found_then():
    def forwards_to_us(query, tcp):
        text = query.question[0].name.to_text().lower()
        asked = wire.parse(dns.message.make_query(text, "A").to_wire())
        returned.append(asyncio.create_task(forwarder.resolve(asked, "127.0.0.1")))

    returned = []
    async with FakeNameserver(forwards_to_us) as upstream:
        forwarder = forwarding(upstream, times=FAST)
        with structlog.testing.capture_logs() as lines:
            async with asyncio.timeout(5):
                await resolve(forwarder, NAME)
                assert {(await each).source for each in returned} == {"failure"}
                asked = upstream.asked
                await until(lambda: upstream.asked > asked)
                assert (await returned[-1]).source == "refused"
        assert [line["name"] for line in lines if line["event"] == "dns.loop_found"] == [NAME]
        assert asked <= 5
        assert forwarder.figures().outstanding == 0


async def test_a_client_beside_a_silent_nameserver_is_no_loop():
    async with FakeNameserver(silent) as upstream:
        forwarder = forwarding(upstream, times=FAST)
        with structlog.testing.capture_logs() as lines:
            waiting = [asyncio.create_task(resolve(forwarder, NAME)) for _ in range(2)]
            await upstream.arrived.wait()
            waiting.append(asyncio.create_task(resolve(forwarder, NAME, client="127.0.0.1")))
            await asyncio.gather(*waiting)
            asked = upstream.asked
            await until(lambda: upstream.asked > asked)  # it is found out
            await forwarder.close()
        assert "dns.loop_found" not in [line["event"] for line in lines]


async def test_nothing_is_remembered_of_what_is_over():
    async with FakeNameserver(SERVFAIL) as bad, FakeNameserver(GOOD) as good:
        forwarder = forwarding(bad, good)
        await resolve(forwarder, NAME)
        assert not forwarder._loops._outstanding
