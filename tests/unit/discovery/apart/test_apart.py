"""What the discovery process says, and the control process makes of it: the same lists, with the same objects where nothing changed."""

from __future__ import annotations

import asyncio
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from structlog.testing import capture_logs

from haystack.discovery.apart import outbox, remote
from haystack.discovery.apart.messages import UP, Failed, Line, Part, Sources, Withdrawn, packed
from haystack.discovery.apart.outbox import PORTION, Outbox, parts
from haystack.discovery.apart.remote import ENDED, Apart, NoDiscoveryError
from haystack.model.listed import Listed
from haystack.model.records import Container, Engine, Listing, Network, Options
from tests.fakes.sink import FakeSink

SOURCE = "unix:///x"
ENGINE = Engine(id="e", name="box", host=SOURCE)


def container(number: int, **more: object) -> Container:
    options = Options(weight=number, health={"path": "/"})
    return replace(Container(id=f"{number:064x}", name=f"c{number}", engine="e", services=("a", "b"), options=options), **more)


def listing(numbers: dict[int, str]) -> Listing:
    """Of containers by number, in these states."""
    networks = (Network(id="n", name="bridge", engine="e", subnets=("10.0.0.0/8",)),)
    return Listing(engine=ENGINE, networks=networks, containers=Listed.of(container(n, state=s) for n, s in numbers.items()), told=1.5)


def sent(message: object) -> object:
    """As it comes out at the other end."""
    return UP.decode(packed(message)[4:])  # type: ignore[arg-type]


def frame(body: bytes) -> bytes:
    return len(body).to_bytes(4, "big") + body


def take(apart: Apart, *messages: object) -> None:
    for message in messages:
        apart._take(sent(message))  # type: ignore[arg-type] # what it reads from its channel


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    yield ours, theirs
    ours.close()
    theirs.close()


class Launches:
    """A Launcher that keeps the far ends."""

    def __init__(self) -> None:
        self.far: list[socket.socket] = []

    def launch(self) -> socket.socket:
        ours, theirs = socket.socketpair()
        self.far.append(theirs)
        return ours


def heard(*, sink: FakeSink) -> Apart:
    apart = Apart(None, Launches())
    apart._sinks[SOURCE] = sink
    return apart


states = st.dictionaries(st.integers(0, 200), st.sampled_from(["running", "paused", "stopping"]), max_size=130)


@settings(deadline=None, max_examples=60)
@given(st.lists(states, min_size=1, max_size=5), st.integers(0, 4))
def test_lists_arrive_as_they_were_sent_also_where_another_process_goes_on(lists: list[dict[int, str]], restart: int) -> None:
    sink = FakeSink()
    apart, before = heard(sink=sink), None
    for number, each in enumerate(lists):
        found = listing(each)
        if number == restart:
            take(apart, Sources((SOURCE,), 7))
            before = None
        take(apart, *parts(SOURCE, before, found))
        before = found.containers
        assert sink.listings[-1] == found
        if number:
            old = {c.id: c for c in sink.listings[-2].containers}
            assert all(c is old[c.id] for c in sink.listings[-1].containers if old.get(c.id) == c)


def test_a_long_list_comes_in_portions_and_is_told_once() -> None:
    found = listing(dict.fromkeys(range(PORTION * 2 + 1), "running"))
    told = list(parts(SOURCE, None, found))
    assert [len(part.changed) for part in told] == [PORTION, PORTION, 1]
    sink = FakeSink()
    take(heard(sink=sink), *told)
    assert len(sink.listings) == 1


def test_a_process_that_dies_in_the_middle_of_its_list_leaves_nothing_of_it() -> None:
    sink = FakeSink()
    apart = heard(sink=sink)
    take(apart, *parts(SOURCE, None, listing({1: "running", 2: "running"})), Sources((SOURCE,), 8))
    take(apart, Part(SOURCE, changed=(container(3),), whole=True), Sources((SOURCE,), 9))
    take(apart, *parts(SOURCE, None, listing({2: "running"})))
    assert sink.names == {"c2"}


def test_what_is_left_of_a_source_that_can_t_be_read_arrives_as_that() -> None:
    sink = FakeSink()
    apart, first, left = heard(sink=sink), listing({1: "running", 2: "running"}), listing({1: "lost", 2: "lost"})
    take(apart, *parts(SOURCE, None, first), *parts(SOURCE, first.containers, left, outdated=True))
    assert (sink.listings, sink.outdated_listings) == ([first, left], [left])


def test_a_source_that_is_none_any_more_is_withdrawn_and_begins_anew_when_it_comes_back() -> None:
    sink = FakeSink()
    apart = heard(sink=sink)
    take(apart, *parts(SOURCE, None, listing({1: "running"})), Withdrawn(SOURCE), *parts(SOURCE, None, listing({2: "running"})))
    assert sink.withdrawn == [SOURCE]
    assert sink.names == {"c2"}


async def test_what_is_told_while_a_list_is_sent_arrives_in_its_order() -> None:
    ours, theirs = socket.socketpair()
    sink = FakeSink()
    apart = heard(sink=sink)
    reader, far = await asyncio.open_unix_connection(sock=theirs)
    _, writer = await asyncio.open_unix_connection(sock=ours)
    outbox = Outbox(writer)
    many = listing(dict.fromkeys(range(PORTION * 60), "running"))  # more than the channel holds: it waits for the reader
    outbox.replace(SOURCE, many)
    sending = asyncio.create_task(outbox.run())
    try:
        await reader.readexactly(1)
        outbox.withdraw(SOURCE)
        outbox.replace(SOURCE, listing({1: "running"}))
        first = True
        async with asyncio.timeout(10):
            while sink.names != {"c1"}:
                size = (b"" if first else await reader.readexactly(1)) + await reader.readexactly(3)
                apart._take(UP.decode(await reader.readexactly(int.from_bytes(size, "big"))))
                first = False
        assert (len(sink.listings), sink.withdrawn) == (2, [SOURCE])
    finally:
        sending.cancel()
        writer.close()
        far.close()


def test_lines_of_the_log_are_written_here() -> None:
    with capture_logs() as logs:
        take(heard(sink=FakeSink()), Line("haystack.discovery.docker", "warning", "engine.retry", {"host": "x", "after": 0.5}))
    assert logs == [{"event": "engine.retry", "log_level": "warning", "host": "x", "after": 0.5}]


async def test_another_process_is_started_and_what_was_listed_stays() -> None:
    ours, theirs = socket.socketpair()
    launches, sink = Launches(), FakeSink()
    apart = Apart(ours, launches)
    theirs.sendall(packed(Sources((SOURCE,), 7)))
    (remote,) = apart.sources()
    assert (remote.source, remote.pid) == (SOURCE, 7)
    with capture_logs() as logs:
        task = asyncio.create_task(remote.run(sink))
        for part in parts(SOURCE, None, listing({1: "running"})):
            theirs.sendall(packed(part))
        theirs.sendall(packed(Failed(SOURCE, "no route")))
        await sink.until(lambda: sink.names == {"c1"} and sink.errors == ["no route"])
        theirs.close()
        await sink.until(lambda: ENDED in sink.errors)
        assert sink.names == {"c1"}
        async with asyncio.timeout(10):
            while not launches.far:  # noqa: ASYNC110 - a pause of a tenth of a second, which nothing tells of
                await asyncio.sleep(0.01)
        (far,) = launches.far
        for message in (Sources((SOURCE,), 8), *parts(SOURCE, None, listing({1: "running", 2: "running"}))):
            far.sendall(packed(message))
        await sink.until(lambda: sink.names == {"c1", "c2"})
    assert remote.pid == 8
    assert sink.listings[0].containers[0] is sink.container("c1")
    assert [line["event"] for line in logs] == ["discovery.ended"]
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    far.close()


@pytest.mark.parametrize(
    "said", [b"", b"\0\0", packed(Failed("x", "y")), b"\0\0\0\3abc", frame(packed(Sources(("XXXX",), 7))[4:].replace(b"XXXX", b"\xff" * 4))]
)
def test_one_that_does_not_start_is_told_in_one_line(ends: tuple[socket.socket, socket.socket], said: bytes) -> None:
    ours, theirs = ends
    theirs.sendall(said)
    theirs.shutdown(socket.SHUT_WR)
    with pytest.raises(NoDiscoveryError, match="the discovery process does not") as caught:
        Apart(ours, Launches()).sources()
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "options", "arrives"),
    [
        ("a\ud800b", Options(), ("a?b", None)),
        ("ü\ud800", Options(weight=1 << 70), ("ü?", (1 << 63) - 1)),
        ("ü", Options(weight=-(1 << 70), health={"\udcff": "\udcff"}), ("ü", -(1 << 63))),
    ],
)
def test_text_that_is_none_and_numbers_beyond_64_bits_cost_nobody_else_the_list(name: str, options: Options, arrives: object) -> None:
    sink, odd = FakeSink(), container(1, name=name, options=options)
    found = replace(listing({}), containers=Listed.of([odd, container(2)]))
    take(heard(sink=sink), *parts(SOURCE, None, found))
    came, other = sink.listings[-1].containers
    assert (came.name, came.options.weight) == arrives
    assert other == container(2)
    assert replace(came, name=name, options=options) == odd


def test_a_line_of_the_log_with_the_same_arrives() -> None:
    fields = {"host": "\ud800", "n": [1 << 70, 2], "raw": b"\xff", "of": {"\ud800": -(1 << 70)}, "where": Path("/x")}
    line = sent(Line("a", "info", "x\ud800", fields))
    assert line == Line(
        "a", "info", "x?", {"host": "?", "n": [str(1 << 70), 2], "raw": b"\xff", "of": {"?": str(-(1 << 70))}, "where": "/x"}
    )


class Stumbling(FakeSink):
    """A sink that does not stand its first list, nor what is told then."""

    def __init__(self) -> None:
        super().__init__()
        self.stumbled = 0

    def replace(self, source: str, listing: Listing) -> None:
        if not self.stumbled:
            self.stumbled = 1
            raise KeyError("x")
        super().replace(source, listing)

    def failed(self, source: str, error: str) -> None:
        if self.stumbled == 1:
            self.stumbled = 2
            raise KeyError("y")
        super().failed(source, error)


NO_TEXT = frame(packed(Failed(SOURCE, "XXXX"))[4:].replace(b"XXXX", b"\xff\xff\xff\xff"))


@pytest.mark.parametrize(
    ("said", "sink"),
    [(NO_TEXT, FakeSink()), (b"\xff" * 8, FakeSink()), (b"".join(map(packed, parts(SOURCE, None, listing({})))), Stumbling())],
)
async def test_whatever_a_process_says_another_one_is_heard_after_it(said: bytes, sink: FakeSink) -> None:
    ours, theirs = socket.socketpair()
    launches = Launches()
    apart = Apart(ours, launches)
    with capture_logs() as logs:
        task = asyncio.create_task(apart.listen(SOURCE, sink))
        try:
            theirs.sendall(said)
            async with asyncio.timeout(10):
                while not launches.far:
                    assert not task.done(), task
                    await asyncio.sleep(0.01)
            for message in (Sources((SOURCE,), 8), *parts(SOURCE, None, listing({1: "running"}))):
                launches.far[0].sendall(packed(message))
            await sink.until(lambda: sink.names == {"c1"})
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            for end in (theirs, *launches.far):
                end.close()
    assert [line["error"] for line in logs if line["event"] == "discovery.ended"] != [""]


class Gone(Launches):
    """A launcher that has ended."""

    def launch(self) -> socket.socket:
        raise BrokenPipeError(32, "Broken pipe")


async def test_where_no_process_can_be_started_any_more_that_is_an_end(ends: tuple[socket.socket, socket.socket]) -> None:
    """It was tried for ever, every ten seconds, and nobody heard of a container again."""
    ours, theirs = ends
    theirs.close()
    with capture_logs() as logs, pytest.raises(NoDiscoveryError, match=r"the keeper has ended \(Broken pipe\)"):
        await asyncio.wait_for(Apart(ours, Gone()).listen(SOURCE, FakeSink()), 10)
    assert [line["event"] for line in logs] == ["discovery.ended"]


async def test_a_process_that_falls_silent_is_replaced_and_if_none_says_a_word_that_is_an_end(
    ends: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One that is stopped keeps its channel open; and a keeper that is stopped takes orders, and does nothing."""
    ours, theirs = ends
    monkeypatch.setattr(remote, "LOOK", 0.002)
    monkeypatch.setattr(remote, "LONGEST_PAUSE", 0.001)
    theirs.sendall(packed(Failed(SOURCE, "no route")))
    launches, sink = Launches(), FakeSink()
    with capture_logs() as logs, pytest.raises(NoDiscoveryError, match="3 discovery processes in a row said nothing"):
        await asyncio.wait_for(Apart(ours, launches).listen(SOURCE, sink), 20)
    assert [line["error"] for line in logs] == ["it has said nothing for 0 s"] * 4
    assert sink.errors == ["no route"] + [ENDED] * 4
    assert len(launches.far) == remote.MUTE
    for far in launches.far:
        far.close()


async def test_one_that_beats_is_not_silent(ends: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = ends
    monkeypatch.setattr(outbox, "BEAT_SECONDS", 0.001)
    apart = Apart(None, Launches())
    reader, near = await asyncio.open_unix_connection(sock=ours)
    _, writer = await asyncio.open_unix_connection(sock=theirs)
    beating = asyncio.create_task(Outbox(writer).beat())
    hearing = asyncio.create_task(apart._hear(reader))
    apart._silent = 7
    async with asyncio.timeout(10):
        while apart._silent:  # noqa: ASYNC110 - nothing tells of it
            await asyncio.sleep(0.001)
    for task in (beating, hearing):
        task.cancel()
    await asyncio.gather(beating, hearing, return_exceptions=True)
    for each in (writer, near):
        each.close()


@pytest.mark.parametrize("level", ["warning", "basic_format", "handlers", ""])
def test_a_line_may_have_any_level_and_fields_of_any_name(level: str) -> None:
    fields = dict.fromkeys(("level", "event", "self", "method_name", "logger", "name", "args", "exc", "x"), 1)
    with capture_logs() as logs:
        take(heard(sink=FakeSink()), Line("haystack.discovery", level, "engine.retry", fields))
    (line,) = logs
    assert (line["event"], line["x"], line["event_"]) == ("engine.retry", 1, 1)
    assert line["log_level"] == ("warning" if level == "warning" else "info")


def test_a_first_message_that_is_too_long_is_not_waited_for(ends: tuple[socket.socket, socket.socket]) -> None:
    ours, theirs = ends
    theirs.sendall(b"\xff" * 4)
    with pytest.raises(NoDiscoveryError, match="too long"):
        Apart(ours, Launches()).sources()


def test_one_that_says_it_byte_by_byte_has_no_more_time_than_others(
    ends: tuple[socket.socket, socket.socket], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = ends
    monkeypatch.setattr(remote, "START_SECONDS", 1.0)
    ended, began = threading.Event(), perf_counter()
    theirs.sendall((1000).to_bytes(4, "big"))

    def drip() -> None:
        while not ended.wait(0.3) and perf_counter() - began < 5:
            theirs.sendall(b"x")

    dripping = threading.Thread(target=drip)
    dripping.start()
    try:
        with pytest.raises(NoDiscoveryError, match="timed out"):
            Apart(ours, Launches()).sources()
        assert perf_counter() - began < 4
    finally:
        ended.set()
        dripping.join()


BROKEN_OFF = """
import asyncio, socket
from haystack.discovery.apart import process
from haystack.discovery.apart.outbox import Outbox

async def main():
    ours, theirs = socket.socketpair()
    reader, writer = await asyncio.open_unix_connection(sock=theirs)
    writer.write(b"never read")
    await writer.drain()
    ours.close()
    await process._until_end(reader, Outbox(writer), [])

asyncio.run(main())
"""


def test_a_control_process_that_goes_before_it_has_begun_is_no_fault() -> None:
    found = subprocess.run([sys.executable, "-c", BROKEN_OFF], capture_output=True, text=True, timeout=60, check=False)
    assert (found.returncode, found.stderr) == (0, "")
