"""What others see of a name, asked of nameservers whatever our own zone says."""

from __future__ import annotations

import pytest

from haystack.dns import outside
from haystack.dns.outside import Outside, OutsideError
from tests.unit.dns.forward.client import FAST, forwarding
from tests.unit.dns.nameserver import NXDOMAIN, SERVFAIL, FakeNameserver, says, silent


class Dns:
    def __init__(self, forwarder):
        self.beyond = forwarder.resolve


async def asked(reply, method, name="www.example.com", **more):
    async with FakeNameserver(reply) as upstream:
        forwarder = forwarding(upstream, **more)
        try:
            return await getattr(Outside(Dns(forwarder)), method)(name)
        finally:
            await forwarder.close()


def by_type(**records):
    """A reply of these records, by the type that is asked."""

    def reply(query, tcp):
        kind = query.question[0].rdtype.name
        return says(*records.get(kind, ()), authority=[] if kind in records else ["60 SOA ns.example. host.example. 1 2 3 4 30"])(
            query, tcp
        )

    return reply


async def test_all_addresses_of_both_families():
    found = await asked(by_type(A=("60 A 192.0.2.1", "60 A 192.0.2.2"), AAAA=("60 AAAA 2001:db8::1",)), "addresses")
    assert sorted(found) == ["192.0.2.1", "192.0.2.2", "2001:db8::1"]


async def test_those_behind_an_alias_and_none_where_there_is_none():
    assert await asked(by_type(A=("60 CNAME other.example.", "other.example. 60 A 192.0.2.1")), "addresses") == ("192.0.2.1",)
    assert await asked(NXDOMAIN, "addresses") == ()


@pytest.mark.parametrize("reply", [SERVFAIL, silent])
async def test_no_answer_is_told(reply):
    with pytest.raises(OutsideError, match="nameserver"):
        await asked(reply, "addresses", times=FAST)


async def test_where_aliases_lead():
    assert await asked(by_type(CNAME=("60 CNAME X.example.",)), "leads_to") == "x.example"
    chain = ("60 CNAME x.example.", "x.example. 60 CNAME y.example.")
    assert await asked(by_type(CNAME=chain), "leads_to") == "y.example"
    assert await asked(NXDOMAIN, "leads_to") == "www.example.com"


async def test_what_is_no_name_and_forwarding_that_has_not_started_are_told():
    class Early:
        async def beyond(self, _query, _client):
            return None

    with pytest.raises(OutsideError, match="not started"):
        await Outside(Early()).addresses("www.example.com")
    with pytest.raises(OutsideError, match="not a DNS name"):
        await Outside(Early()).addresses("x" * 64)
    assert outside.SECONDS < 60
