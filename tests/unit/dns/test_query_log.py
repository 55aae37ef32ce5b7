"""The DNS log's lines: what strangers ask can't forge one, what waits is bounded, and the name of who asked is there."""

import asyncio
import json
import struct

import pytest
from msgspec.structs import replace

from haystack.dns.client_names import ClientNames
from haystack.dns.query_log import QueryLog
from haystack.loop.turns import at_once
from haystack.model.records import Attachment, Container, Listing
from haystack.model.snapshot import Change
from tests.oracles.snapshot import build

ROW = struct.Struct("@qqHHBBBBB0q")  # as _fast/dns/query_log.pxd has it
AT = 1_795_944_190_020_114  # 2026-11-29T09:23:10.020114Z
WEB = bytes((172, 17, 0, 2))
SIX = bytes((0xFD, *(0,) * 14, 2))


def row(name=b"\1a\7example\0", client=WEB, qtype=1, rcode=0, source=0, limited=0, tcp=False, ns=9_123):
    return ROW.pack(AT, ns, qtype, rcode, source, limited, tcp, len(client), len(name)) + client + name


class Written:
    """What has been written."""

    def __init__(self):
        self.lines, self.count, self.lost = b"", 0, 0

    def __call__(self, lines, count, dropped):
        assert lines.count(b"\n") == count
        self.lines, self.count, self.lost = self.lines + lines, self.count + count, self.lost + dropped


def names(*containers, plain=True):
    made = ClientNames(plain=plain)
    at_once(made.follow(build(1, "haystack", {"x": Listing(containers=containers)}, 0.0)))
    return made.told


def container(name, number=1, **more):
    return Container(id=f"{number:064x}", name=name, engine="E", **{"address": "172.17.0.2"} | more)


async def lines(form, *rows, who=(), worker=3):
    out, plain = Written(), form == "text"
    log = QueryLog(names(*(who or [container("web")]), plain=plain), out, plain=plain)
    log.take(worker, b"".join(rows), len(rows), 0)
    await log.close()
    assert out.count == len(rows)
    return out.lines.decode("ascii").splitlines()


async def test_json_has_these_fields():
    (line,) = await lines("json", row())
    assert json.loads(line) == {
        "time": "2026-11-29T09:23:10.020114Z", "worker": 3, "client": "172.17.0.2", "container": "web", "name": "a.example", "type": "A",
        "rcode": "NOERROR", "source": "zone", "ms": 0.009123, "protocol": "udp", "limited": "",
    }  # fmt: skip


async def test_text_has_a_field_a_word():
    first, second = await lines("text", row(), row(b"", b"", 0, 1, 3, tcp=True, ns=2_000_000_000, limited=2))
    assert first == "2026-11-29T09:23:10.020114Z 172.17.0.2 web a.example A NOERROR zone 0.009ms udp"
    assert second == "2026-11-29T09:23:10.020114Z - - - - FORMERR none 2000.000ms tcp dropped"


@pytest.mark.parametrize(
    ("changes", "field", "told"),
    [
        ({"client": SIX}, "client", "fd00::2"),
        ({"client": SIX}, "container", ""),
        ({"client": WEB[:3]}, "client", ""),
        ({"client": SIX + b"\1"}, "client", ""),
        ({"qtype": 65}, "type", "HTTPS"),
        ({"qtype": 4711}, "type", "TYPE4711"),
        ({"rcode": 3}, "rcode", "NXDOMAIN"),
        ({"rcode": 16}, "rcode", "BADVERS"),
        ({"rcode": 11}, "rcode", "RCODE11"),
        ({"source": 1}, "source", "cache"),
        ({"source": 2}, "source", "upstream"),
        ({"limited": 1}, "limited", "truncated"),
        ({"limited": 2}, "limited", "dropped"),
        ({"tcp": True}, "protocol", "tcp"),
        ({"name": b"\0"}, "name", "."),
        ({"name": b""}, "type", ""),
        ({"ns": 5_000_000_001}, "ms", 5000.000001),
    ],
)
async def test_each_field_says_what_was(changes, field, told):
    assert json.loads((await lines("json", row(**changes)))[0])[field] == told


@pytest.mark.parametrize("form", ["json", "text"])
async def test_no_name_ends_a_field_or_a_line_or_moves_a_cursor(form):
    for octet in range(256):
        (line,) = await lines(form, row(b"\3x" + bytes((octet,)) + b"y\0"))
        assert line.isprintable()
        told = json.loads(line)["name"] if form == "json" else line.split(" ")[3]
        plain = chr(octet) if 0x20 < octet < 0x7F and chr(octet) not in '."\\' else f"\\{octet:03d}"
        assert told == f"x{plain}y"
        assert form == "json" or len(line.split(" ")) == 9


@pytest.mark.parametrize("form", ["json", "text"])
async def test_the_longest_name_and_the_longest_container(form):
    longest = (b"\x3f" + b"\xff" * 63) * 3 + b"\x3d" + b"\xff" * 61 + b"\0"
    (line,) = await lines(form, row(longest), who=[container("n" * 5000)])
    assert "n" * 5000 in line
    assert line.count("255") == 250


async def test_rows_that_are_cut_off_are_not_read():
    out = Written()
    log = QueryLog(names(), out, plain=False)
    log.take(0, row() + row()[:20], 1, 0)
    await log.close()
    assert out.count == 1


async def test_a_long_batch_is_done_in_turns_and_others_have_theirs():
    out = Written()
    log = QueryLog(names(), out, plain=True)
    log.take(0, row() * 20_000, 20_000, 0)
    rounds = 0
    while out.count < 20_000:
        await asyncio.sleep(0)
        rounds += 1
    assert rounds > 5
    await log.close()


async def test_what_there_is_no_room_for_is_counted_as_lost():
    out = Written()
    log = QueryLog(names(), out, plain=True, room=10 * len(row()))
    log.take(0, row() * 8, 8, 2)
    log.take(0, row() * 3, 3, 1)
    log.take(0, row() * 2, 2, 0)
    assert (out.count, out.lost) == (0, 6)
    await log.close()
    assert (out.count, out.lost) == (10, 6)
    log.take(0, row() * 10, 10, 0)
    await log.close()
    assert (out.count, out.lost) == (20, 6)


# Whose address it is.


async def test_containers_that_share_an_address_are_all_named():
    who = [container("web"), container("side car", 2), container("agent", 3, network="host")]
    assert json.loads((await lines("json", row(), who=who))[0])["container"] == "side car,web"
    assert (await lines("text", row(), who=who))[0].split(" ")[2] == "side\\x20car,web"


async def test_a_container_s_name_can_not_end_a_string():
    (line,) = await lines("json", row(), who=[container('w"\\eb\n')])
    assert json.loads(line)["container"] == 'w"\\eb\\x0a'


async def test_an_address_on_any_network_and_changes_are_followed():
    far = Attachment(network="far", ipv4="10.9.0.2", ipv6="fd00::2")
    made = ClientNames(plain=True)
    steps = [
        ((container("web", attachments=(far,)),), {WEB: b"web", bytes((10, 9, 0, 2)): b"web", SIX: b"web"}),
        ((container("web"),), {WEB: b"web"}),
        ((container("new"),), {WEB: b"new"}),
        ((container("new"), container("twin", 2)), {WEB: b"new,twin"}),
        ((container("twin", 2, address="10.9.0.2"),), {bytes((10, 9, 0, 2)): b"twin"}),
        ((), {}),
    ]
    for version, (containers, known) in enumerate(steps, 1):
        at_once(made.follow(build(version, "haystack", {"x": Listing(containers=containers)}, 0.0)))
        assert made.told == known


async def test_what_has_changed_alone_is_looked_at():
    one, other = container("one"), container("other", 2, address="10.9.0.2")
    first = build(1, "haystack", {"x": Listing(containers=(one, other))}, 0.0)
    made = ClientNames(plain=True)
    at_once(made.follow(first))
    moved = replace(one, address="10.9.0.3")
    second = build(2, "haystack", {"x": Listing(containers=(moved, other))}, 0.0)
    second = replace(second, change=Change(base=1, containers=frozenset({one.id})))
    assert sum(1 for _ in made.follow(second)) == 1
    assert made.told == {bytes((10, 9, 0, 3)): b"one", bytes((10, 9, 0, 2)): b"other"}
