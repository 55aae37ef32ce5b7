"""The static file: read, watched, and kept when it breaks."""

import asyncio

import pytest
from watchfiles import awatch

from haystack.discovery.static import StaticError, StaticProvider, identity, read
from haystack.loop import watched_file
from tests.fakes.sink import FakeSink, running

GOOD = """
[[container]]
name = "web-001"
image = "ghcr.io/a/Nginx:1"
address = "10.0.0.7"
ports = ["80/tcp", "what"]
labels = { "haystack.weight" = "50", "haystack.balance" = "luck" }
"""


def test_an_entry_is_a_container_by_the_usual_rules():
    (container,) = read(GOOD.encode(), "file://x").containers
    assert (container.id, container.services, container.address) == (identity("web-001"), ("web.nginx",), "10.0.0.7")
    assert container.options.weight == 50
    assert [p.subject for p in container.problems] == ["label haystack.balance", "port"]


def test_odd_entries_cost_themselves():
    listing = read(b'[[container]]\n[[container]]\nname="a"\naddress="nowhere"\nports=7\nlabels=[]\n[[container]]\nname="a"\n', "s")
    assert [c.name for c in listing.containers] == ["a"]
    assert [p.subject for p in listing.problems] == ["container 1", "container 3"]


def test_keys_that_nothing_reads_are_told_with_what_was_meant():
    listing = read(b'[[continer]]\n[[container]]\nname="a"\nimage="web"\nadress="10.0.0.1"\nport=80\nlables={}\nwhatever=1\n', "s")
    told = {p.subject: p.message for p in (*listing.problems, *listing.containers[0].problems)}
    assert told.pop("key whatever") == "no such key; the keys are name, image, address, ports, labels; key ignored"
    meant = {"key continer": "container", "key adress": "address", "key port": "ports", "key lables": "labels"}
    assert told == {key: f"no such key; did you mean {near}?; key ignored" for key, near in meant.items()}


def test_a_label_may_be_a_dotted_key():
    listing = read(b'[[container]]\nname = "a"\naddress = "10.0.0.1"\nlabels.haystack.port = 99\nlabels."haystack.weight" = 7', "s")
    (container,) = listing.containers
    assert (container.options.port, container.options.weight, container.problems[1:]) == (99, 7, ())


def test_a_value_that_is_no_text_costs_its_entry():
    huge = b"0x" + b"f" * 5000
    deep = b".".join([b"a"] * 900)  # Python 3.14 takes no key of more than 1,000 parts
    for value in (b"labels.x = " + huge, b"ports = [" + huge + b"]", b"address = " + huge, b"labels." + deep + b" = 1"):
        listing = read(b'[[container]]\nname = "a"\n' + value + b'\n[[container]]\nname = "b"\n', "s")
        assert [c.name for c in listing.containers] == ["b"]
        assert [p.subject for p in listing.problems] == ["container 1"]


@pytest.mark.parametrize(
    "content",
    [b"[[container", b"\xff", b"container = 7", b"container = [1]", b"x = " + b"9" * 5000, b"x = " + b"[" * 5000 + b"]" * 5000],
)
def test_what_is_no_such_file(content):
    with pytest.raises(StaticError):
        read(content, "s")


async def test_a_change_is_seen_and_a_broken_file_keeps_the_old_content(tmp_path):
    path, sink = tmp_path / "haystack.toml", FakeSink()
    async with running(StaticProvider(path), sink):
        await sink.until(lambda: bool(sink.errors))
        path.write_text(GOOD)
        await sink.until(lambda: sink.names == {"web-001"})
        for broken in ("[[broken", "x = " + "9" * 5000):
            sink.errors.clear()
            path.write_text(broken)
            await sink.until(lambda: any("not TOML" in e for e in sink.errors))
            assert sink.names == {"web-001"}
        other = tmp_path / "new"
        other.write_text(GOOD.replace("web-001", "web-002"))
        other.rename(path)
        await sink.until(lambda: sink.names == {"web-002"})


async def test_what_else_changes_in_its_folder_wakes_nobody(tmp_path, monkeypatch):
    monkeypatch.setattr("haystack.loop.watched_file.POLL", 60_000)
    path, other = tmp_path / "haystack.toml", tmp_path / "haystack.log"
    ticks = watched_file.ticks(path)
    await anext(ticks)
    woken = asyncio.create_task(anext(ticks))
    witness = awatch(tmp_path, rust_timeout=10, yield_on_timeout=True)
    await anext(witness)
    other.write_text("a line")
    while not await anext(witness):
        pass
    assert not woken.done()
    path.write_text(GOOD)
    await asyncio.wait_for(woken, 10)
    await ticks.aclose()
    await witness.aclose()
