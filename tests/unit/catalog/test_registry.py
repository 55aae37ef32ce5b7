"""The registry: bursts become one snapshot, failures keep the old one."""

import asyncio
from time import perf_counter

from msgspec.structs import replace
from structlog.testing import capture_logs

from haystack.catalog import incremental, registry, sources
from haystack.catalog.intake import MOST
from haystack.catalog.registry import Registry
from haystack.loop import turns
from haystack.model import ports
from haystack.model.records import Container, Listing, Peer, Problem


def listing(*numbers):
    port = (ports.named(80, "tcp"),)
    return Listing(
        containers=tuple(
            Container(id=f"{n:064x}", name=f"n{n}", engine="e", services=("nginx",), address="10.0.0.1", ports=port) for n in numbers
        )
    )


async def published(under_test):
    """The next snapshot."""
    future = asyncio.get_running_loop().create_future()
    unsubscribe = under_test.subscribe(future.set_result)
    try:
        return await asyncio.wait_for(future, 5)
    finally:
        unsubscribe()


async def test_a_burst_is_one_snapshot():
    under_test, seen = Registry("haystack"), []
    under_test.subscribe(seen.append)
    for n in range(10):
        under_test.replace("x", listing(*range(n + 1)))
    await under_test.listed.wait()
    assert [s.version for s in seen] == [1]
    assert len(seen[0].containers) == 10
    assert under_test.snapshot is seen[0]


async def test_what_others_say_of_a_service_is_a_problem_of_it_until_they_do_not():
    under_test, problem, name = Registry("haystack"), Problem(subject="label haystack.https", message="odd"), "nginx.services.haystack"
    under_test.replace("x", listing(1))
    under_test.flush()
    with capture_logs() as lines:
        under_test.take_service_problems({name: (problem,), "gone.services.haystack": (problem,)})
        under_test.flush()
        found = under_test.snapshot
        under_test.replace("x", listing(1, 2))
        under_test.flush()
    assert found.services[name].problems == under_test.snapshot.services[name].problems == (problem,)
    assert found.problems == ((name, problem),)
    assert found.change.services == {name}
    assert [line["name"] for line in lines if line["event"] == "problem.found"] == [name]
    under_test.take_service_problems({})
    under_test.flush()
    assert (under_test.snapshot.services[name].problems, under_test.snapshot.problems) == ((), ())


async def test_how_late_what_an_engine_told_of_is_published_is_counted():
    now = 100.0
    under_test = Registry("haystack", clock=lambda: now)
    under_test.replace("x", replace(listing(1), told=99.7))
    await under_test.listed.wait()
    buckets, seconds = under_test.publishing.lags.told()
    assert dict(buckets)["0.25"] == 0
    assert (dict(buckets)["0.5"], round(seconds, 6)) == (1, 0.3)
    assert under_test.publishing.builds.told()[0][-1] == ("+Inf", 1)
    under_test.replace("x", replace(listing(1), told=99.9))  # which changes nothing, and so is not published
    under_test.flush()
    assert under_test.publishing.lags.told()[0][-1] == ("+Inf", 1)


async def test_never_later_than_its_limit_however_long_the_burst():
    under_test, loop, seen = Registry("haystack"), asyncio.get_running_loop(), []
    under_test.subscribe(seen.append)
    start, n = loop.time(), 0
    while not seen:
        n += 1
        under_test.replace("x", listing(n))
        await asyncio.sleep(0.001)
        assert loop.time() - start < 100 * registry.LATEST
    assert seen[0].version == 1


async def test_settling_publishes_all_that_is_known_and_leaves_the_loop_to_others_meanwhile():
    """At a start: 500 containers in one go took a fifth of a second, in which no DNS question was answered."""
    under_test, rounds = Registry("haystack"), 0

    async def others():
        nonlocal rounds
        while True:
            rounds += 1
            await asyncio.sleep(0)

    beside = asyncio.create_task(others())
    under_test.replace("x", listing(*range(sources.FEW)))
    await under_test.settle()
    beside.cancel()
    assert len(under_test.snapshot.containers) == sources.FEW
    assert rounds > 3
    under_test.replace("x", listing(1))
    await asyncio.sleep(2 * registry.QUIET)  # its build has begun, or is done
    under_test.replace("x", listing(2, 3))
    await under_test.settle()
    assert len(under_test.snapshot.containers) == 2
    version = under_test.snapshot.version
    await under_test.settle()
    assert under_test.snapshot.version == version


async def test_the_same_content_is_not_published_again():
    under_test = Registry("haystack")
    under_test.replace("x", listing(1))
    under_test.flush()
    under_test.replace("x", listing(1))
    under_test.flush()
    assert under_test.snapshot.version == 1


async def test_a_failed_build_or_check_keeps_the_old_snapshot(monkeypatch):
    under_test = Registry("haystack")
    under_test.replace("x", listing(1))
    under_test.flush()
    old = under_test.snapshot

    def fail(*_, **__):
        raise RuntimeError("no")

    for where, name in ((incremental.Builder, "build"), (registry, "check")):
        with monkeypatch.context() as patch:
            patch.setattr(where, name, fail)
            under_test.replace("x", listing(2))
            under_test.flush()
        assert under_test.snapshot is old
    under_test.flush()
    assert under_test.snapshot.version == 2


async def test_a_failed_source_keeps_its_listing_and_says_why():
    under_test = Registry("haystack", sources=("x",))
    assert not under_test.sources["x"].connected
    under_test.replace("x", listing(1))
    await under_test.listed.wait()
    under_test.failed("x", "connection refused")
    assert (under_test.sources["x"].connected, under_test.sources["x"].error) == (False, "connection refused")
    assert len(under_test.snapshot.containers) == 1


async def test_a_subscriber_that_fails_keeps_nobody_from_hearing_and_may_leave():
    under_test, seen = Registry("haystack"), []

    def fail(_):
        raise RuntimeError("no")

    under_test.subscribe(fail)
    leave = under_test.subscribe(seen.append)
    under_test.replace("x", listing(1))
    under_test.flush()
    leave()
    under_test.replace("x", listing(2))
    under_test.flush()
    assert [s.version for s in seen] == [1]


async def test_the_next_snapshot_comes_by_itself():
    under_test = Registry("haystack")
    under_test.replace("x", listing(1))
    assert (await published(under_test)).version == 1


async def test_a_long_list_is_published_in_portions_and_listed_when_it_is_whole():
    under_test = Registry("haystack")
    seen = []
    under_test.subscribe(lambda snapshot: seen.append((len(snapshot.containers), under_test.listed.is_set())))
    under_test.replace("s", Listing(containers=tuple(Container(id=f"{n:064}", name=f"c{n}", engine="E") for n in range(1000))))
    await asyncio.wait_for(under_test.listed.wait(), 10)
    assert len(under_test.snapshot.containers) == 1000
    assert not under_test.behind
    assert len(seen) == -(-1000 // MOST)
    assert not any(listed for _, listed in seen)


async def test_a_problem_is_told_with_the_container_s_name_and_not_its_64_digits():
    under_test, (odd,) = Registry("haystack"), listing(1).containers
    with capture_logs() as lines:
        under_test.replace("x", Listing(containers=(replace(odd, problems=(Problem(subject="label haystack.port", message="no port"),)),)))
        await under_test.listed.wait()
    told = [line for line in lines if line["event"] == "problem.found"]
    assert [(line["name"], line["id"], line["subject"]) for line in told] == [("n1", "0" * 12, "label haystack.port")]


async def test_readers_take_turns_and_see_each_snapshot_before_it_is_the_newest():
    under_test, told, meanwhile = Registry("haystack"), [], 0

    def reader(new):
        for _ in range(20):
            end = perf_counter() + turns.TURN / 4
            while perf_counter() < end:
                pass
            yield
        told.append((new.version, under_test.snapshot.version))

    under_test.add_reader(reader)
    under_test.replace("x", listing(1))
    while not told:
        meanwhile += 1
        await asyncio.sleep(0)
    assert told == [(1, 0)]
    assert meanwhile > 4
    assert under_test.snapshot.version == 1


async def test_what_changes_while_a_snapshot_is_told_is_in_the_next_one():
    under_test, seen = Registry("haystack"), []

    def reader(new):
        seen.append(len(new.containers))
        if len(seen) == 1:
            under_test.replace("x", listing(1, 2))
            end = perf_counter() + 2 * registry.LATEST
            while perf_counter() < end:
                yield

    under_test.add_reader(reader)
    done = asyncio.Event()
    under_test.subscribe(lambda new: done.set() if new.version > 1 else None)
    under_test.replace("x", listing(1))
    await asyncio.wait_for(done.wait(), 5)
    assert seen == [1, 2]


async def test_the_end_of_what_is_under_way_can_be_had_at_once():
    under_test, seen, told = Registry("haystack"), [], asyncio.Event()

    def reader(new):
        seen.append(len(new.containers))
        told.set()
        end = perf_counter() + 10 * turns.TURN
        while perf_counter() < end:
            yield

    under_test.add_reader(reader)
    under_test.replace("x", listing(1))
    await told.wait()
    under_test.replace("x", listing(1, 2))
    under_test.flush()
    assert seen == [1, 2]
    assert under_test.snapshot.version == 2


async def test_a_source_that_withdraws_is_forgotten_with_all_that_it_listed():
    under_test = Registry("haystack", ["x", "swarm"])
    under_test.replace("x", listing(1))
    under_test.replace("swarm", listing(2))
    under_test.flush()
    assert len(under_test.snapshot.containers) == 2
    under_test.withdraw("swarm")
    under_test.flush()
    assert [c.name for c in under_test.snapshot.containers.values()] == ["n1"]
    assert list(under_test.sources) == ["x"]
    under_test.withdraw("swarm")  # again, and nothing comes of it
    under_test.replace("swarm", listing(3))
    under_test.flush()
    assert len(under_test.snapshot.containers) == 2


async def test_a_source_that_withdraws_before_it_has_listed_is_waited_for_no_more():
    under_test = Registry("haystack", ["x", "swarm"])
    under_test.withdraw("swarm")
    under_test.replace("x", listing(1))
    await asyncio.wait_for(under_test.listed.wait(), 5)
    assert list(under_test.sources) == ["x"]


async def test_haystacks_own_tasks_are_in_the_snapshot_and_a_list_that_has_the_same_is_no_news():
    under_test = Registry("haystack")
    peers = (Peer(name="n1", address="10.77.0.2", own=True), Peer(name="n2", address="10.77.0.3"))
    under_test.replace("swarm", replace(listing(1), peers=peers))
    under_test.flush()
    first = under_test.snapshot
    assert first.peers == peers
    under_test.replace("swarm", replace(listing(1), peers=tuple(replace(each) for each in peers)))
    under_test.flush()
    assert under_test.snapshot is first
    under_test.replace("swarm", replace(listing(1), peers=peers[:1]))
    under_test.flush()
    assert under_test.snapshot.peers == peers[:1]
