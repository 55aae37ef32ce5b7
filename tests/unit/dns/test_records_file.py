"""HAYSTACK_DNS_RECORDS: which records may be where, the file that changes, and what they are beside what Haystack finds itself."""

import asyncio
import contextlib

import dns.rcode
import pytest
from msgspec.structs import replace
from structlog.testing import capture_logs

from haystack.catalog.registry import Registry
from haystack.dns import records_file, wire
from haystack.dns.master_file import MasterFileError
from haystack.dns.records_file import RecordsFile
from haystack.dns.zone import Zone
from haystack.loop.turns import at_once
from haystack.model.snapshot import Change, Snapshot
from haystack.net.rights import Right
from tests.unit.dns.conftest import FORWARD, OWN, Zoned, container, endpoint, picture, service

FILE = b"""
nas               300 A     10.0.0.5
nas                   A     10.0.0.6
www.example.com.      CNAME nas
web.containers        A     10.9.9.9
*.wild                TXT   "anything"
a.loop                CNAME b.loop
b.loop                CNAME a.loop
out                   CNAME elsewhere.example.
to-web                CNAME nginx.services
"""
WEB = container(2, "web")


def read(content, ttl=5):
    return at_once(records_file.read(content, "haystack", ttl))


@pytest.fixture
def stocked():
    """For `ask`."""
    return picture([WEB], [service("nginx", endpoint(WEB, 80, "http", listener="http"))], records=read(FILE))


def held(message):
    return [(str(rrset.name).rstrip("."), rrset.ttl, r.to_text()) for rrset in message.answer for r in rrset]


@pytest.mark.parametrize(
    ("name", "rdtype", "answer"),
    [
        ("nas.haystack", "A", [("nas.haystack", 300, "10.0.0.5"), ("nas.haystack", 300, "10.0.0.6")]),
        ("www.example.com", "CNAME", [("www.example.com", 300, "nas.haystack.")]),
        (
            "www.example.com",
            "A",
            [("www.example.com", 300, "nas.haystack."), ("nas.haystack", 300, "10.0.0.5"), ("nas.haystack", 300, "10.0.0.6")],
        ),
        ("a.b.wild.haystack", "TXT", [("a.b.wild.haystack", 300, '"anything"')]),
        ("a.loop.haystack", "A", [("a.loop.haystack", 300, "b.loop.haystack."), ("b.loop.haystack", 300, "a.loop.haystack.")]),
        ("to-web.haystack", "A", [("to-web.haystack", 300, "nginx.services.haystack."), ("nginx.services.haystack", 5, OWN)]),
        ("web.containers.haystack", "A", [("web.containers.haystack", 5, "172.17.0.2")]),
    ],
)
def test_its_records_are_answered(ask, name, rdtype, answer):
    assert held(ask(name, rdtype)) == answer


def test_an_alias_that_leads_elsewhere_is_for_the_forwarder_and_alone_for_who_may_not_ask_that(responder):
    query = wire.question(wire.name("out.haystack"), wire.A)
    assert responder.answer(query, OWN, tcp=False) is FORWARD
    alone = dns.message.from_wire(responder.answer(query, OWN, tcp=False, rights=int(Right.INSIDE)))
    assert held(alone) == [("out.haystack", 300, "elsewhere.example.")]


def test_aliases_that_lead_in_a_circle_are_told_once_each(responder):
    reply = responder.answer(wire.question(wire.name("a.loop.haystack"), wire.A), OWN, tcp=False)
    assert int.from_bytes(reply[6:8], "big") == 2


@pytest.mark.parametrize(
    ("name", "rcode", "apex"),
    [
        ("nas.haystack", "NOERROR", "haystack."),
        ("wild.haystack", "NOERROR", "haystack."),
        ("x.wild.haystack", "NOERROR", "haystack."),
        ("x.nas.haystack", "NXDOMAIN", "haystack."),
        ("example.home.arpa", "NXDOMAIN", "home.arpa."),
    ],
)
def test_what_is_not_there_is_denied_as_in_any_zone(ask, name, rcode, apex):
    message = ask(name, "MX")
    assert (dns.rcode.to_text(message.rcode()), [str(r.name) for r in message.authority]) == (rcode, [apex])


@pytest.mark.parametrize("name", ["example.com", "x.www.example.com", "other.example.com"])
def test_names_around_one_that_is_elsewhere_are_others(responder, name):
    assert responder.answer(wire.question(wire.name(name), 1), OWN, tcp=False) is FORWARD


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"a CNAME b\na A 10.0.0.1", "line 2: a name with a CNAME has no other record (RFC 1034, section 3.6.2)"),
        (b"a A 10.0.0.1\nb A 10.0.0.1\na CNAME b", "line 3: a name with a CNAME has no other record (RFC 1034, section 3.6.2)"),
        (b"a CNAME b\na CNAME c", "line 2: a name with a CNAME has no other record (RFC 1034, section 3.6.2)"),
        (b". A 10.0.0.1", "line 1: the root has no records here"),
        (b"x.localhost. A 10.0.0.1", "line 1: x.localhost can't have records (RFC 6761)"),
        (b"\n*.example. A 10.0.0.1", "line 2: *.example: a wildcard is possible below HAYSTACK_ORIGIN alone"),
        (b"a A 10.0.0.1\n\xff", "line 2: it is not UTF-8"),
    ],
)  # fmt: skip
def test_what_can_not_be_is_told_with_its_line(content, told):
    with pytest.raises(MasterFileError) as error:
        read(content)
    assert str(error.value) == told


def test_each_record_is_there_once_with_the_shortest_ttl_of_its_type():
    found = read(b"a 9 A 10.0.0.1\na 7 A 10.0.0.2\na A 10.0.0.1\na TXT x", ttl=8)[wire.name("a.haystack")]
    assert [(rtype, ttl) for rtype, ttl, _ in found] == [(1, 7), (1, 7), (16, 7)]
    assert read(b"a A 10.0.0.1", ttl=8)[wire.name("a.haystack")] == ((1, 8, b"\x0a\0\0\1"),)


def test_a_container_has_its_name_before_the_file_and_the_log_says_so():
    name = wire.name("web.containers.haystack")
    before = Snapshot(version=1, created=0.0, origin="haystack", records=read(FILE))
    zone = Zone.of(before, 5)
    assert zone.nodes[name].records
    with capture_logs() as logs:
        after = replace(before, version=2, containers={WEB.id: WEB}, change=Change(base=1, containers=frozenset((WEB.id,))))
        zone = at_once(zone.follow(after))
    assert (zone.nodes[name].records, list(zone.nodes[name].a)) == ((), ["172.17.0.2"])
    assert [(line["event"], line["name"]) for line in logs] == [("record.hidden", "web.containers.haystack")]
    gone = replace(before, version=3, change=Change(base=2, containers=frozenset((WEB.id,))))
    assert at_once(zone.follow(gone)).nodes[name].records


def test_another_file_is_in_the_place_of_the_one_before():
    before = Snapshot(version=1, created=0.0, origin="haystack", records=read(b"a A 10.0.0.1\nb A 10.0.0.1"))
    zone = Zone.of(before, 5)
    after = replace(before, version=2, records=read(b"b A 10.0.0.2\nc A 10.0.0.1"), change=Change(base=1))
    zone = at_once(zone.follow(after))
    assert zone.find(wire.name("a.haystack")).node is None
    assert [zone.find(wire.name(f"{n}.haystack")).node.records[0][2][-1] for n in "bc"] == [2, 1]


@pytest.mark.parametrize(
    "name", ["haystack", "ns.haystack", "nginx.services.haystack", "_http._tcp.nginx.services.haystack", "2.0.17.172.in-addr.arpa"]
)
def test_what_haystack_finds_itself_goes_before_the_file(name):
    extra = read(f"{name}. TXT mine".encode())
    zone = Zone.of(picture([WEB], [service("nginx", endpoint(WEB, 80, "http", listener="http"))], records=extra), 5)
    assert zone.find(wire.name(name)).node.records == ()


async def test_the_registry_publishes_them():
    registry = Registry("haystack")
    registry.take_records(read(b"a A 10.0.0.1"))
    registry.flush()
    assert list(registry.snapshot.records) == [wire.name("a.haystack")]
    version = registry.snapshot.version
    registry.refresh()
    registry.flush()
    assert registry.snapshot.version == version


@contextlib.asynccontextmanager
async def watching(file, take):
    task = asyncio.create_task(file.run(take))
    try:
        yield
    finally:
        task.cancel()


async def test_the_file_is_read_again_when_it_changes_and_a_broken_one_changes_nothing(tmp_path):
    path, taken = tmp_path / "zone", asyncio.Queue()
    path.write_text("a A 10.0.0.1")
    file = RecordsFile(path, "haystack", 5)
    assert len(at_once(file.read())) == 1
    with capture_logs() as logs:
        async with watching(file, taken.put_nowait):
            path.write_text("a A 10.0.0.1\nb A 10.0.0.1")
            assert len(await asyncio.wait_for(taken.get(), 10)) == 2
            path.write_text("a A 10.0.0")
            await until(lambda: any(line["event"] == "records.broken" for line in logs))
            assert taken.empty()
            path.write_text("c A 10.0.0.1")
            assert list(await asyncio.wait_for(taken.get(), 10)) == [wire.name("c.haystack")]
    (broken,) = [line for line in logs if line["event"] == "records.broken"]
    assert broken["error"] == f"{path}: line 1: '10.0.0' is no IPv4 address"


async def until(holds):
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - the log tells nobody
            await asyncio.sleep(0.01)


CHAIN = (
    "".join(f"c{n} CNAME c{n + 1}\n" for n in range(1, 30)) + "c30 A 10.0.0.9\nal CNAME haystack.\n_acme-challenge.x CNAME web.containers\n"
)


@pytest.fixture
def chained():
    return Zoned(picture([WEB], records=read(CHAIN.encode())))


def asked(zoned, name, rtype, **more):
    return dns.message.from_wire(zoned.answer(wire.question(wire.name(name), rtype), OWN, tcp=True, **more))


def test_a_chain_that_is_too_long_denies_nothing(chained):
    assert held(asked(chained, "c20.haystack", wire.A))[-1] == ("c30.haystack", 5, "10.0.0.9")
    message = asked(chained, "c1.haystack", wire.A)
    assert (len(message.answer), message.authority) == (16, [])


def test_the_name_servers_of_where_an_alias_leads(chained):
    message = asked(chained, "al.haystack", wire.NS)
    assert held(message) == [("al.haystack", 5, "haystack."), ("haystack", 5, "ns.haystack.")]
    assert [rrset.name.to_text() for rrset in message.additional] == ["ns.haystack."]


def test_what_everybody_may_ask_for_leads_strangers_to_nothing_that_is_not(chained):
    assert held(asked(chained, "_acme-challenge.x.haystack", wire.A, rights=0)) == [
        ("_acme-challenge.x.haystack", 5, "web.containers.haystack.")
    ]
    assert len(held(asked(chained, "_acme-challenge.x.haystack", wire.A))) == 2
