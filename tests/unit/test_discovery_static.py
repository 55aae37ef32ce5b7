"""The static file: read, watched, and kept when it breaks."""

import pytest

from haystack.discovery.static import StaticError, StaticProvider, identity, read
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


@pytest.mark.parametrize("content", [b"[[container", b"\xff", b"container = 7", b"container = [1]"])
def test_what_is_no_such_file(content):
    with pytest.raises(StaticError):
        read(content, "s")


async def test_a_change_is_seen_and_a_broken_file_keeps_the_old_content(tmp_path):
    path, sink = tmp_path / "haystack.toml", FakeSink()
    async with running(StaticProvider(path), sink):
        await sink.until(lambda: bool(sink.errors))
        path.write_text(GOOD)
        await sink.until(lambda: sink.names == {"web-001"})
        path.write_text("[[broken")
        await sink.until(lambda: any("not TOML" in e for e in sink.errors))
        assert sink.names == {"web-001"}
        other = tmp_path / "new"
        other.write_text(GOOD.replace("web-001", "web-002"))
        other.rename(path)
        await sink.until(lambda: sink.names == {"web-002"})
