"""Zone answers beside Knot's, which has the same names loaded; every answer is read by dnspython and dnslib. No difference without a name.

The differences that are meant:
- RA, and CD as asked (RFC 4035, section 3.2.2): Haystack offers recursion, Knot does not.
- Order: Haystack begins each answer with another record (RFC 1794); sets are compared.
- TC: Haystack sends the records that fit, as some clients never ask again over TCP; Knot sends none. Both say TC.
- Additional records that have no room: Haystack sends as many whole sets as fit, Knot none of them.
- Behind a CNAME that leads to others, what these say: Haystack has it asked. Without RD both give the CNAME alone.
- A circle of CNAMEs is told once by both; Haystack adds the SOA, for there is no such record.
- SRV records of the file (`_ipp._tcp`) and NS records of other zones than `haystack` have no additional records: RFC 2782 leaves that open.
- ANY has one record (RFC 8482); transfers are refused; other classes are refused: Haystack alone has other zones too (`version.bind`).
- NXDOMAIN for types that only ask (128 to 255), where Knot has words of its own.
"""

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdatatype
import dnslib
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from haystack.dns import records_file, wire
from haystack.dns.zone import Zone
from haystack.loop.turns import at_once
from haystack.model.records import Engine
from tests.oracles.knot import Knot, zones
from tests.unit.dns.conftest import FORWARD, OWN, Zoned, container, endpoint, picture, service

HAYSTACK = ("192.0.2.7", "192.0.2.8", "2001:db8::7")  # its own addresses
MANY = 90
ASKED = ("A", "AAAA", "SRV", "PTR", "SOA", "NS", "TXT", "MX", "CNAME", "HTTPS", "DS", "DNAME", "NAPTR", "TYPE99")
FILE = b"""
nas 300 A 192.0.2.1
    300 A 192.0.2.2
        AAAA 2001:db8::1
        TXT "one" "two"
        TXT "three"
_ipp._tcp SRV 0 5 631 nas
          SRV 1 5 631 nowhere
to-nas CNAME nas
to-service 60 CNAME redis.services
to-to CNAME to-nas
to-nothing CNAME nothing
to-empty CNAME services
to-others CNAME www.example.org.
to-wild CNAME any.lab
circle CNAME circle2
circle2 CNAME circle
long CNAME a-rather-long-label-that-is-nearly-as-long-as-one-can-be.a-rather-long-label-that-is-nearly-as-long-as-one-can-be
*.lab A 192.0.2.3
      TXT "wild"
*.alias CNAME nas
"""
ALONE = dns.flags.RA | dns.flags.CD
APART = 128  # types from here to 255 ask for something, and are none themselves (RFC 6895, section 3.1)


def stocked():
    """A picture with all there is: long and short sets, both families, several ports of one container, empty names above others."""
    web, both, cased = container(2, "web"), container(3, "both", address6="fd00::3"), container(4, "Camel_Case")
    crowd = [container(n, f"db-x{n}").__class__(id=f"{n:012d}", name=f"db-x{n}", engine="E", address=f"10.0.0.{n}") for n in range(1, MANY)]
    return picture(
        [web, both, cased, *crowd],
        [
            service("nginx", endpoint(web, 80, "http", listener="http")),
            service("redis", endpoint(both, 6379, "redis"), endpoint(both, 7000, "7000"), endpoint(web, 6379, "redis", weight=7)),
            service("db", *(endpoint(each, 5432, "postgresql") for each in crowd)),
            service("few", *(endpoint(each, 5432, "postgresql") for each in crowd[:5])),
            service("a.b.c.deep", endpoint(both, 9, "discard")),
        ],
        [Engine(id="ABCD:EFGH:IJKL:MNOP", name="host.example", host="unix://", address="192.168.5.1")],
        records=at_once(records_file.read(FILE, "haystack", 5)),
    )


PICTURE = stocked()
ZONE = Zone.of(PICTURE, 5)
APEXES = [key for key, node in ZONE.nodes.items() if node.apex]
# a wildcard without any record (`*.resolver.arpa`) can't be written into a zone file
NAMES = [key for key in ZONE.nodes if not key.endswith(wire.name("resolver.arpa")) and any(key.endswith(apex) for apex in APEXES)]


@pytest.fixture(scope="module")
def knot():
    with Knot(zones(ZONE, HAYSTACK)) as running:
        yield running


@pytest.fixture(scope="module")
def haystack():
    return Zoned(PICTURE, HAYSTACK)


@st.composite
def names(draw):
    """A name that is there, one above, below or beside it, in any case."""
    labels = list(wire.labels(draw(st.sampled_from(NAMES))))
    more = st.one_of(st.sampled_from([b"*", b"_tcp", b"_redis", b"services", b"x", b"A"]), st.binary(min_size=1, max_size=12))
    match draw(st.sampled_from(["there", "there", "below", "beside", "above"])):
        case "below":
            labels = draw(st.lists(more, min_size=1, max_size=3)) + labels
        case "beside":
            labels[0] = draw(more)
        case "above" if len(labels) > 1:
            labels = labels[1:]
    name = b"".join(bytes([len(label)]) + cased(draw, label) for label in labels) + b"\0"
    assume(len(name) <= wire.LONGEST_NAME and any(name.lower().endswith(apex) for apex in APEXES))
    return name


def cased(draw, label):
    bits = draw(st.integers(0, 2 ** len(label) - 1))
    return bytes(octet ^ 0x20 if bits >> n & 1 and chr(octet).isalpha() and octet < APART else octet for n, octet in enumerate(label))


QUERIES = st.fixed_dictionaries(
    {
        "name": names(),
        "qtype": st.one_of(st.sampled_from([*map(dns.rdatatype.from_text, ASKED)]), st.integers(1, APART - 1), st.integers(256, 65535)),
        "flags": st.sampled_from([0, wire.RD, wire.RD | wire.CD]),
        "edns": st.sampled_from([None, None, 0, 512, 700, 1232, 4096, 65535]),
        "do": st.booleans(),
        "options": st.sampled_from([b"", b"", b"\0\x0a\0\x08" + b"12345678", b"\xff\xee\0\0"]),
        "tcp": st.booleans(),
    }
).filter(lambda query: query["qtype"] not in (wire.OPT, 46, 47))  # RRSIG and NSEC stand beside a CNAME (RFC 4034): there are none here


def packet(*, name, qtype, flags, edns, do, options, **_):
    """The query's octets."""
    header = b"\x4a\x1b" + b"".join(n.to_bytes(2, "big") for n in (flags, 1, 0, 0, 0 if edns is None else 1))
    opt = b"" if edns is None else b"\0\0\x29" + edns.to_bytes(2, "big") + (wire.DO if do else 0).to_bytes(4, "big")
    opt += len(options).to_bytes(2, "big") + options if opt else b""
    return header + name + qtype.to_bytes(2, "big") + b"\0\1" + opt


def records(section):
    """A section as a set of records; none may be there twice."""
    found = [(r.name.to_text().lower(), r.ttl, r.rdtype, data.to_text().lower()) for r in section for data in r]
    assert len(found) == len(set(found))
    return set(found)


def read(data):
    """As dnspython reads it, and dnslib, which must find as many records."""
    message = dns.message.from_wire(data, raise_on_truncation=False)
    if not all(map(is_text, message.question[0].name.labels)):
        return message
    other = dnslib.DNSRecord.parse(data)
    for mine, theirs in ((message.answer, other.rr), (message.authority, other.auth)):
        assert sum(map(len, mine)) == len(theirs)
    return message


def is_text(label):
    """Whether dnslib can have it."""
    try:
        label.decode()
    except UnicodeDecodeError:
        return False
    return True


def compare(haystack, knot, query):
    """One question before both."""
    asked = packet(**query)
    reply = haystack.answer(asked, OWN, query["tcp"])
    if reply is FORWARD:
        assert query["flags"] & wire.RD
        return
    mine, theirs = read(reply), read(knot.ask(asked, tcp=query["tcp"]))
    assert reply[: 12 + len(query["name"]) + 4][12:] == asked[12 : 12 + len(query["name"]) + 4]
    assert mine.rcode() == theirs.rcode()
    assert mine.flags & ~ALONE == theirs.flags & ~ALONE
    assert (mine.edns, mine.payload, mine.ednsflags) == (theirs.edns, theirs.payload, theirs.ednsflags)
    if mine.flags & dns.flags.TC:
        whole = read(knot.ask(asked, tcp=True))
        assert records(mine.answer) < records(whole.answer)
        return
    assert records(mine.answer) == records(theirs.answer)
    if b"circle" not in query["name"].lower():
        assert records(mine.authority) == records(theirs.authority)
    additional, whole = records(mine.additional), records((theirs if query["tcp"] else read(knot.ask(asked, tcp=True))).additional)
    assert additional <= whole
    assert additional == whole or not query["tcp"] or is_bare(query)


def is_bare(query):
    """Whether a set of records has no additional ones here."""
    return query["qtype"] == wire.NS or b"_ipp" in query["name"].lower()


PLAIN = {"flags": wire.RD, "edns": None, "do": False, "options": b"", "tcp": False}


@settings(max_examples=2000, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(query=QUERIES)
@example(query={"name": wire.name("haystack"), "qtype": 6, **PLAIN})
@example(query={"name": wire.name("_postgresql._tcp.db.services.haystack"), "qtype": 33, **PLAIN})
def test_any_question(haystack, knot, query):
    compare(haystack, knot, query)


@pytest.mark.parametrize("edns", [None, 1232])
@pytest.mark.parametrize("tcp", [False, True])
def test_every_name_with_every_type(haystack, knot, edns, tcp):
    for name in NAMES:
        for text in ASKED:
            compare(haystack, knot, PLAIN | {"name": name, "qtype": dns.rdatatype.from_text(text), "edns": edns, "tcp": tcp})


QUESTION = wire.name("haystack") + b"\0\1\0\1"
ODD = {
    "a later version of EDNS": (b"\1\0\0\1\0\0\0\0\0\1" + QUESTION + b"\0\0\x29\x04\xd0\0\1\0\0\0\0", "NOERROR"),  # BADVERS
    "two OPT records": (b"\1\0\0\1\0\0\0\0\0\2" + QUESTION + 2 * b"\0\0\x29\x04\xd0\0\0\0\0\0\0", "FORMERR"),
    "an opcode that nobody has": (b"\x39\0\0\1\0\0\0\0\0\0" + QUESTION, "NOTIMP"),
    "a status request": (b"\x10\0\0\1\0\0\0\0\0\0" + QUESTION, "NOTIMP"),
}


@pytest.mark.parametrize("what", ODD)
def test_what_is_no_question(haystack, knot, what):
    """Beside these: Knot is silent where Haystack says FORMERR, and takes an OPT record that has an owner."""
    data, code = ODD[what]
    replies = haystack.answer(b"\4\2" + data, OWN, tcp=False), knot.ask(b"\4\2" + data, tcp=False)
    assert [dns.rcode.to_text(each[3] & 15) for each in replies] == [code, code]
    assert {each[:2] for each in replies} == {b"\4\2"}


def test_the_zone_was_loaded(knot):
    """Else all would be REFUSED by one, and the comparison say nothing."""
    for apex in APEXES:
        assert read(knot.ask(packet(name=apex, qtype=6, **PLAIN), tcp=False)).answer, dns.name.from_wire(apex, 0)
