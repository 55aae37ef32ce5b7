"""Many questions at once: nobody's keep anybody else from an answer, and sockets are bounded."""

import asyncio
from pathlib import Path

import dns.name
import pytest

from haystack.dns.forward.forwarder import Limits
from haystack.dns.forward.times import TIMES
from tests.unit.dns.forward.client import FAST, forwarding, resolve, resolved, until
from tests.unit.dns.nameserver import GOOD, FakeNameserver, silent

SLOW = dns.name.from_text("slow.example")
FLOOD, OTHER = "10.0.0.1", "10.0.0.2"
PATIENT = TIMES._replace(resend=(30.0,), limit=60.0, patience=60.0)


def silent_below_slow(query, tcp):
    return silent(query, tcp) if query.question[0].name.is_subdomain(SLOW) else GOOD(query, tcp)


def flood(forwarder, count, name="{n}.slow.example", client=FLOOD):
    return [asyncio.create_task(resolved(forwarder, name.format(n=n), client=client)) for n in range(count)]


async def settle(tasks):
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    return [task for task in tasks if task.done()]


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


async def test_a_thousand_slow_questions_of_one_client_are_nothing_to_another():
    async with FakeNameserver(silent_below_slow) as upstream:
        forwarder = forwarding(upstream, times=PATIENT)
        tasks = flood(forwarder, 1000)
        await settle(tasks)
        async with asyncio.timeout(5):
            for n in range(50):
                assert (await resolve(forwarder, f"{n}.example", client=OTHER)).answer
        await forwarder.close()
        await asyncio.gather(*tasks)


async def test_a_flooding_client_leaves_others_sockets_for_the_second_nameserver():
    """All of them went to its slow questions, and what the first one did not answer was SERVFAIL for others."""
    times = PATIENT._replace(resend=(0.05, 0.1))
    async with FakeNameserver(silent) as first, FakeNameserver(silent_below_slow) as second:
        forwarder = forwarding(first, second, times=times, limits=Limits(sockets=8))
        tasks = flood(forwarder, 20)
        await until(lambda: second.asked >= 1 and forwarder.figures().asked == 3)
        await asyncio.sleep(0)
        async with asyncio.timeout(5):
            assert (await resolve(forwarder, "quick.example", client=OTHER)).answer
        await forwarder.close()
        await asyncio.gather(*tasks)


async def test_equal_questions_of_one_client_are_nothing_to_another():
    async with FakeNameserver(silent_below_slow) as upstream:
        forwarder = forwarding(upstream, times=PATIENT, limits=Limits(waiters=500))
        tasks = flood(forwarder, 1010, "equal.slow.example")
        done = await settle(tasks)
        assert {task.result().source for task in done} == {"failure"}
        assert len(done) == 1010 - 250  # over its share it has SERVFAIL at once
        assert forwarder.figures()[2:] == (1, 1, 760)
        async with asyncio.timeout(5):
            assert (await resolve(forwarder, "other.example", client=OTHER)).answer
            joined = asyncio.create_task(resolved(forwarder, "equal.slow.example", client=OTHER))
            assert not await settle([joined])
        await forwarder.close()
        await asyncio.gather(*tasks, joined)


async def test_over_its_share_of_questions_a_client_has_servfail_at_once():
    async with FakeNameserver(silent) as upstream:
        forwarder = forwarding(upstream, times=PATIENT, limits=Limits(questions=100))
        tasks = flood(forwarder, 60)
        assert len(await settle(tasks)) == 10
        other = flood(forwarder, 30, "{n}.other.example", OTHER)
        assert len(await settle(other)) == 5
        await forwarder.close()
        await asyncio.gather(*tasks, *other)


async def test_sockets_are_bounded_and_the_rest_waits():
    async with FakeNameserver(silent) as upstream:
        before = descriptors()
        forwarder = forwarding(upstream, times=PATIENT, limits=Limits(sockets=40))
        tasks = [task for n in range(21) for task in flood(forwarder, 50, f"{n}-{{n}}.example", f"10.0.1.{n}")]
        await settle(tasks)
        assert descriptors() - before <= 40
        figures = forwarder.figures()
        assert (figures.outstanding, figures.asked) == (1050, 30)
        assert not any(task.done() for task in tasks)
        await forwarder.close()
        assert {(await task).source for task in tasks} == {"failure"}
        await asyncio.sleep(0)
        assert descriptors() == before


async def test_when_sockets_are_free_again_clients_take_turns():
    async with FakeNameserver(silent) as upstream:
        forwarder = forwarding(upstream, times=PATIENT, limits=Limits(sockets=4))
        first = flood(forwarder, 30)
        await settle(first)
        second = flood(forwarder, 5, "{n}.other.example", OTHER)
        await settle(second)
        upstream.reply = GOOD
        last = asyncio.create_task(resolved(forwarder, "last.example", client="10.0.0.3"))
        async with asyncio.timeout(5):
            await last
        assert sum(task.done() for task in first) < 5
        await forwarder.close()
        await asyncio.gather(*first, *second)


async def test_who_waits_for_a_socket_in_vain_has_servfail_in_time():
    async with FakeNameserver(silent) as upstream:
        forwarder = forwarding(upstream, times=FAST, limits=Limits(sockets=4))
        async with asyncio.timeout(5):
            assert {found.source for found in await asyncio.gather(*flood(forwarder, 200))} == {"failure"}
        assert forwarder.figures()[2:4] == (0, 0)


async def test_a_question_that_waits_is_asked_in_the_turn_of_whoever_joins_it():
    async with FakeNameserver(silent) as upstream:
        forwarder = forwarding(upstream, times=PATIENT, limits=Limits(sockets=8))
        tasks = flood(forwarder, 20)
        await settle(tasks)
        assert upstream.asked == 0 or forwarder.figures().asked == 3
        joined = asyncio.create_task(resolved(forwarder, "19.slow.example", client=OTHER))
        await until(lambda: any(b"\x0219" in query for query in upstream.queries))
        await forwarder.close()
        await asyncio.gather(*tasks, joined)


@pytest.mark.untraced
async def test_ten_thousand_questions_of_several_clients_to_a_silent_nameserver():
    async with FakeNameserver(silent_below_slow) as upstream:
        before = descriptors()
        forwarder = forwarding(upstream, times=TIMES._replace(limit=1.0, resend=(0.4,)), limits=Limits(sockets=200))
        tasks = [task for n in range(10) for task in flood(forwarder, 1000, f"{n}-{{n}}.slow.example", f"10.0.1.{n}")]
        await settle(tasks)
        assert descriptors() - before <= 200
        assert forwarder.figures().outstanding <= 4096
        async with asyncio.timeout(5):
            assert (await resolve(forwarder, "quick.example", client=OTHER)).answer
        async with asyncio.timeout(10):
            assert {found.source for found in await asyncio.gather(*tasks)} == {"failure"}
        assert forwarder.figures()[2:4] == (0, 0)
        assert not forwarder._asking._queue._lines
