"""TXT records from inside, which show a certificate authority that a name is ours."""

import dns.message
import pytest

from haystack.catalog.registry import Registry
from haystack.dns import wire
from haystack.dns.challenges import SOURCE, Challenges
from tests.unit.dns.conftest import FORWARD, OWN, Zoned, picture

NAME = "_acme-challenge.app.example.com"


@pytest.fixture
def registry():
    return Registry("haystack")


@pytest.fixture
def challenges(registry):
    return Challenges(lambda records: registry.take_records(records, SOURCE))


def asked(registry, name=NAME, rights=0):
    registry.flush()
    zoned = Zoned(picture(records=registry.snapshot.records))
    packet = wire.question(wire.name(name), wire.TXT)
    reply = zoned.answer(packet, OWN, tcp=False, rights=rights)
    return reply if reply is FORWARD else [rdata.to_text() for rrset in dns.message.from_wire(reply).answer for rdata in rrset]


async def test_everybody_may_ask_for_a_challenge_as_long_as_it_is_there(registry, challenges):
    challenges.put("app.example.com", "one")
    challenges.put("app.example.com", "two")
    assert sorted(asked(registry)) == ['"one"', '"two"']
    challenges.remove("app.example.com", "one")
    challenges.remove("app.example.com", "never there")
    assert asked(registry) == ['"two"']
    challenges.remove("App.example.com.", "two")
    assert registry.snapshot.records != {}
    registry.flush()
    assert registry.snapshot.records == {}


async def test_it_stands_beside_the_records_of_the_file(registry, challenges):
    registry.take_records({wire.name(NAME): ((wire.TXT, 60, b"\4mine"),), wire.name("nas.haystack"): ((wire.A, 60, b"\x0a\0\0\1"),)})
    challenges.put("app.example.com", "one")
    assert sorted(asked(registry)) == ['"mine"', '"one"']
    assert wire.name("nas.haystack") in registry.snapshot.records
    challenges.remove("app.example.com", "one")
    assert asked(registry) == ['"mine"']


@pytest.mark.parametrize(("name", "text"), [("x" * 64, "one"), ("app.example.com", ""), ("app.example.com", "x" * 256)])
def test_what_can_not_be_is_refused(challenges, name, text):
    with pytest.raises(ValueError, match=r"not a DNS name|1 to 255 octets"):
        challenges.put(name, text)
