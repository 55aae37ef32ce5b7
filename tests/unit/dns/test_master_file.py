"""Master files: what is read of them, and what is said of those that can't be."""

import dns.rdata
import dns.rdataclass
import dns.zone
import pytest

from haystack.dns import master_file, wire
from haystack.dns.master_file import MasterFileError
from haystack.loop.turns import at_once

FILE = r"""
$TTL 1h
@               TXT    "at the origin" plain "a;b"   ; a comment
nas      300 IN A      10.0.0.5
         IN 2m  AAAA   fd00::5
Printer         A      10.0.0.6 ; the last "word
www.example.com.  CNAME nas
_ipp._tcp       SRV    0 5 631 printer
wide            TXT    ( "one"
                         "two" )
$ORIGIN lab
pc              a      10.1.0.1
escaped\.dot    A      10.1.0.2
oct\097l        TXT    "\"quoted\" \\ \233"
"""


def read(text, origin="haystack"):
    return at_once(master_file.read(text, origin))


def shown(entry):
    data = dns.rdata.from_wire(dns.rdataclass.IN, entry.rtype, entry.data, 0, len(entry.data))
    return wire.text(entry.name), entry.ttl, dns.rdatatype.to_text(entry.rtype), data.to_text()


def test_records_are_read():
    assert [shown(entry) for entry in read(FILE)] == [
        ("haystack", 3600, "TXT", '"at the origin" "plain" "a;b"'),
        ("nas.haystack", 300, "A", "10.0.0.5"),
        ("nas.haystack", 120, "AAAA", "fd00::5"),
        ("printer.haystack", 3600, "A", "10.0.0.6"),
        ("www.example.com", 3600, "CNAME", "nas.haystack."),
        ("_ipp._tcp.haystack", 3600, "SRV", "0 5 631 printer.haystack."),
        ("wide.haystack", 3600, "TXT", '"one" "two"'),
        ("pc.lab.haystack", 3600, "A", "10.1.0.1"),
        ("escaped.dot.lab.haystack", 3600, "A", "10.1.0.2"),
        ("octal.lab.haystack", 3600, "TXT", r'"\"quoted\" \\ \233"'),
    ]
    assert read(FILE)[8].name == b"\x0bescaped.dot" + wire.name("lab.haystack")
    assert [entry.line for entry in read(FILE)][:4] == [3, 4, 5, 6]


def test_dnspython_reads_the_same():
    theirs = dns.zone.from_text(FILE, "haystack.", relativize=False, check_origin=False, allow_directives=True)
    held = {(name.canonicalize().to_wire(), each.rdtype, r.to_wire()) for name, node in theirs.items() for each in node for r in each}
    assert {(entry.name, entry.rtype, entry.data) for entry in read(FILE.replace("www.example.com.", "www"))} >= {
        each for each in held if b"example" not in each[0]
    }


@pytest.mark.parametrize(("lines", "ttls"), [
    (["a A 10.0.0.1"], [None]),
    (["a 7 A 10.0.0.1", "b A 10.0.0.1", "$TTL 1d", "c A 10.0.0.1"], [7, 7, 86400]),
    (["a 1h30m A 10.0.0.1", "b 0 A 10.0.0.1"], [5400, 0]),
])  # fmt: skip
def test_a_ttl_is_its_own_or_that_of_the_file_or_the_last_one(lines, ttls):
    assert [entry.ttl for entry in read("\n".join(lines))] == ttls


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a A 10.0.0.1\nb A 10.0.0", "line 2: '10.0.0' is no IPv4 address"),
        ("a AAAA fe80::1%eth0", "line 1: 'fe80::1%eth0' is no IPv6 address"),
        ("a A", "line 1: it takes one IPv4 address"),
        ("a A 10.0.0.1 10.0.0.2", "line 1: it takes one IPv4 address"),
        ("a", "line 1: it has no type"),
        ("a 5 IN", "line 1: it has no type"),
        (" A 10.0.0.1", "line 1: the first record has no name"),
        ("a MX 10 mail", "line 1: 'MX' records are not possible: it takes A, AAAA, CNAME, TXT or SRV"),
        ("a SOA ns host 1 2 3 4 5", "line 1: 'SOA' records are not possible: leave it out, Haystack has its own"),
        ("a CH A 10.0.0.1", "line 1: 'CH' is not possible here"),
        ("a 5 6 A 10.0.0.1", "line 1: '6' is not possible here"),
        ("a 9999999999 A 10.0.0.1", "line 1: the TTL 9999999999 is longer than 2147483647 seconds"),
        ("$TTL soon", "line 1: 'soon' is no TTL: seconds, or a duration such as 1h"),
        ("$TTL", "line 1: $TTL takes one word"),
        ("$INCLUDE other", "line 1: $INCLUDE is not supported: $ORIGIN and $TTL are"),
        ("a..b A 10.0.0.1", "line 1: 'a..b' is no name: a label has 1 to 63 octets"),
        ("x" * 64 + " A 10.0.0.1", f"line 1: {'x' * 60!r} is no name: a label has 1 to 63 octets"),
        (".".join(["x" * 60] * 5) + " A 10.0.0.1", f"line 1: {'x' * 60!r} is no name: it is longer than 255 octets"),
        ("ü A 10.0.0.1", "line 1: 'ü' is no name: write other letters than ASCII as xn--"),
        ("a TXT", "line 1: it takes texts of 255 octets at most, each in quotation marks"),
        ("a TXT " + "x" * 256, "line 1: it takes texts of 255 octets at most, each in quotation marks"),
        (r"a TXT \256", r"line 1: \256 is no octet: \000 to \255 are"),
        ('a TXT "one\nb A 10.0.0.1', "line 1: a quotation mark is not closed"),
        ("\n\na TXT ( one\n two", "line 3: a parenthesis is not closed"),
        ("a A 10.0.0.1 )", "line 1: ')' is not possible here"),
        ("a A ( ( 10.0.0.1", "line 1: '(' is not possible here"),
        ("a SRV 1 2 70000 b", "line 1: it takes priority, weight and port, each 0 to 65535, and a name"),
        ("a SRV 1 2 b", "line 1: it takes priority, weight and port, each 0 to 65535, and a name"),
    ],
)  # fmt: skip
def test_a_fault_is_told_with_its_line(text, told):
    with pytest.raises(MasterFileError) as error:
        read(text)
    assert str(error.value) == told
