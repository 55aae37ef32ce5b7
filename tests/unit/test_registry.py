"""The registry: bursts become one snapshot, failures keep the old one."""

import asyncio

from msgspec.structs import replace
from structlog.testing import capture_logs

from haystack import builder, ports, registry
from haystack.intake import MOST
from haystack.model import Container, Listing, Problem
from haystack.registry import Registry


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


async def test_never_later_than_its_limit_however_long_the_burst():
    under_test, loop = Registry("haystack"), asyncio.get_running_loop()
    start, n = loop.time(), 0
    while not under_test.listed.is_set():
        n += 1
        under_test.replace("x", listing(n))
        await asyncio.sleep(0.001)
        assert loop.time() - start < 10 * registry.LATEST
    assert under_test.snapshot.version == 1


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

    for where, name in ((builder.Builder, "build"), (registry, "check")):
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
