"""Names are octets: letters alone have two cases, long names have bounds, and what lies above a name is there."""

import dns.message
import dns.name
import dns.rcode
import pytest

from haystack.dns import wire
from haystack.dns.facts import Contribution, Host
from tests.unit.dns.conftest import FORWARD, OWN, Zoned, container, picture


@pytest.mark.parametrize("octet", range(256))
def test_an_octet_is_folded_as_ascii_letters_are_and_no_other(octet):
    """A name with an octet below 65 was looked up, and kept, as another one: anybody could have a name be denied to all."""
    zoned = Zoned(picture([container(2, "web-1")]))
    asked = dns.name.Name([b"web" + bytes((octet,)) + b"1", b"containers", b"haystack", b""])
    message = dns.message.from_wire(zoned.answer(wire.question(asked.to_wire(), wire.A), OWN, tcp=False))
    assert (message.rcode() == dns.rcode.NOERROR) == (octet == ord("-"))
    assert message.question[0].name == asked


def test_the_longest_name_is_answered():
    name = dns.name.Name([b"x" * 63, b"x" * 63, b"x" * 63, b"x" * 52, b"haystack", b""])
    assert len(name.to_wire()) == 255
    message = dns.message.from_wire(Zoned().answer(wire.question(name.to_wire(), wire.A), OWN, tcp=False))
    assert message.rcode() == dns.rcode.NXDOMAIN


@pytest.mark.parametrize(
    ("name", "ours"),
    [("arpa", False), ("in-addr.arpa", False), ("10.in-addr.arpa", True), ("x.10.in-addr.arpa", True), ("9.in-addr.arpa", False)],
)
def test_what_lies_above_a_zone_of_ours_is_others(name, ours):
    zoned = Zoned(picture([container(2, "web")]))
    for _ in range(2):  # also when a public reverse name has come and gone
        assert (zoned.answer(wire.question(wire.name(name), wire.A), OWN, tcp=False) is not FORWARD) == ours
        zoned.publish(picture([container(2, "web").__class__(id="2", name="web", engine="E", address="9.9.9.9")], version=8))
        zoned.publish(picture([], version=9))


def test_a_name_that_can_not_be_leads_no_address_back():
    contribution = Contribution()
    contribution.lead_back("x" * 64 + ".haystack", Host("10.0.0.1", None))
    assert contribution == {}


def test_one_name_that_can_not_be_written_keeps_no_other_from_the_workers():
    zoned = Zoned(picture([container(2, "web")]))
    row, fails = zoned.feed._row, [wire.name("c300000000000.containers.haystack")]

    def failing(key, node):
        if key in fails:
            raise ValueError(key)
        return row(key, node)

    zoned.feed._row = failing
    with pytest.raises(ValueError, match="c300000000000"):
        zoned.publish(picture([container(2, "web"), container(3, "other")], version=8))
    fails.clear()
    zoned.publish(picture([container(2, "web"), container(3, "other")], version=8))
    for name in ("other", "c300000000000", "web"):
        assert zoned.lookup(f"{name}.containers.haystack", "A", OWN)[0] == ";; NOERROR, 1 answer"
