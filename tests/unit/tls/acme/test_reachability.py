"""Whether a name leads to us, before an authority is asked: by its addresses, and where ours are not known by who answers there."""

from __future__ import annotations

import pytest

from haystack.dns.outside import OutsideError
from haystack.tls.acme.errors import ChallengeError
from haystack.tls.acme.reachability import Reach, Way, challenge_name
from haystack.tls.acme.who_answers import Heard

NAME = "www.example.com"


class World:
    def __init__(self, addresses=(), error="", aliases=None):
        self.found, self.error, self.aliases = addresses, error, aliases or {}

    async def addresses(self, _name):
        if self.error:
            raise OutsideError(self.error)
        return self.found

    async def leads_to(self, name):
        if self.error:
            raise OutsideError(self.error)
        return self.aliases.get(name, name)


class Shown:
    """What is shown at the moment."""

    def __init__(self):
        self.proofs = []

    async def show(self, proof):
        self.proofs.append(proof)

    async def hide(self, proof):
        self.proofs.remove(proof)


@pytest.fixture
def shown():
    return Shown()


async def nobody(_address, _proof):
    return Heard.NOBODY


def made(world, shown, *, ours=("203.0.113.5",), given=True, ask=nobody):
    return Reach(world, Way(shown, ask, 80), lambda: ours, given=given)


@pytest.mark.parametrize("addresses", [("203.0.113.5",), ("192.0.2.1", "203.0.113.5"), ("2001:db8:0:0::5",)])
async def test_one_of_its_addresses_is_ours(shown, addresses):
    assert await made(World(addresses), shown, ours=("203.0.113.5", "2001:db8::5")).why_not(NAME) == ""


async def test_an_address_that_is_not_the_one_that_was_set_is_told(shown):
    why = await made(World(("192.0.2.1",)), shown).why_not(NAME)
    assert why == "www.example.com leads to 192.0.2.1, which is not Haystack's address (HAYSTACK_ADDRESS)"


async def test_no_address_and_no_answer_are_told(shown):
    assert await made(World(), shown).why_not(NAME) == "DNS has no address for www.example.com"
    assert "no nameserver answered" in await made(World(error="no nameserver answered"), shown).why_not(NAME)


async def test_behind_anothers_address_it_is_ours_if_we_answer_there(shown):
    """As in a container, whose machine has the public address."""

    async def ask(address, proof):
        assert shown.proofs == [proof]
        return Heard.US if (address, proof.name) == ("192.0.2.1", NAME) else Heard.NOBODY

    assert await made(World(("192.0.2.9", "192.0.2.1")), shown, given=False, ask=ask).why_not(NAME) == ""
    assert shown.proofs == []


async def test_somebody_else_who_answers_there_is_told(shown):
    async def ask(_address, _proof):
        return Heard.ANOTHER

    assert "something else answers there" in await made(World(("192.0.2.1",)), shown, given=False, ask=ask).why_not(NAME)


async def test_nobody_who_answers_there_is_told_with_what_to_do(shown):
    why = await made(World(("192.0.2.1",)), shown, given=False).why_not(NAME)
    assert "nothing answers at its port 80 from here" in why
    assert "set HAYSTACK_ADDRESS" in why


LABEL = "_acme-challenge"


@pytest.mark.parametrize(
    ("name", "zone", "aliases", "found"),
    [
        ("apps.example.com", "apps.example.com", {}, "apps.example.com"),
        ("a.apps.example.com", "apps.example.com", {}, "a.apps.example.com"),
        ("example.org", "_acme-challenge.example.org", {}, "example.org"),
        ("example.org", "acme.example.com", {f"{LABEL}.example.org": f"{LABEL}.x.acme.example.com"}, "x.acme.example.com"),
        ("example.org", "acme.example.com", {f"{LABEL}.example.org": f"{LABEL}.acme.example.com"}, "acme.example.com"),
    ],
)
async def test_dns_01_is_shown_in_the_zone_or_where_a_cname_leads(name, zone, aliases, found):
    assert await challenge_name(World(aliases=aliases), name, zone, LABEL) == found


@pytest.mark.parametrize("target", [None, f"{LABEL}.elsewhere.example", "x.acme.example.com"])
async def test_without_such_a_cname_it_is_told_which_one_to_make(target):
    world = World(aliases={f"{LABEL}.example.org": target} if target else {})
    with pytest.raises(ChallengeError, match=r"CNAME record from _acme-challenge\.example\.org to _acme-challenge\.example\.org\.acme"):
        await challenge_name(world, "example.org", "acme.example.com", LABEL)
