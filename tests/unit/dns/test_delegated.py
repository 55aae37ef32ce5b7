"""A zone that is delegated to us for challenges: resolvers of strangers find their way to one, and learn nothing else."""

from __future__ import annotations

import dns.message
import pytest

from haystack.dns import wire
from haystack.dns.subnets import Subnets
from haystack.dns.zone_feed import ZoneFeed
from tests.unit.dns.conftest import picture

ZONE = "acme.example.com"
CHALLENGE = f"_acme-challenge.www.example.org.{ZONE}"


def asked(name, qtype, delegated=ZONE):
    """Status and answer that a stranger gets, and the zone that a denial names."""
    records = {wire.name(CHALLENGE): ((wire.TXT, 0, b"\3one"),)}
    feed = ZoneFeed(5, (), Subnets(), picture(records=records), (), wire.name(delegated) if delegated else b"")
    feed.responder.held = False
    reply = feed.responder.ask(wire.question(wire.name(name), qtype), b"\x7f\0\0\1", tcp=True, rights=0)
    if reply is None:
        return None
    message = dns.message.from_wire(reply)
    return dns.rcode.to_text(message.rcode()), len(message.answer), [rrset.name.to_text().rstrip(".") for rrset in message.authority]


CAA = 257


@pytest.mark.parametrize("name", [ZONE, f"org.{ZONE}", f"www.example.org.{ZONE}"])
@pytest.mark.parametrize("qtype", [wire.A, wire.TXT, CAA])
def test_names_on_the_way_to_a_challenge_are_there_and_hold_nothing(name, qtype):
    assert asked(name, qtype) == ("NOERROR", 0, [ZONE])


def test_the_challenge_itself_and_the_zones_soa_are_told():
    assert asked(CHALLENGE, wire.TXT) == ("NOERROR", 1, [])
    assert asked(ZONE, wire.SOA) == ("NOERROR", 1, [])


def test_everything_else_of_ours_is_told_to_no_stranger():
    assert asked("haystack", wire.SOA)[0] == "REFUSED"
    assert asked("services.haystack", wire.A)[0] == "REFUSED"
    assert asked(f"other.{ZONE}", wire.A)[0] == "REFUSED"
    assert asked("example.com", wire.A)[0] == "REFUSED"


def test_without_such_a_zone_the_challenge_alone_is_told():
    assert asked(CHALLENGE, wire.TXT, "") == ("NOERROR", 1, [])
    assert asked(ZONE, wire.SOA, "")[0] == "REFUSED"
