"""How names are shown: what is told to whom, and that it is there before the authority is told to look."""

from __future__ import annotations

import asyncio
import hashlib

import pytest
from cryptography import x509

from haystack.catalog.registry import Registry
from haystack.dns.challenges import SOURCE, Challenges
from haystack.tls.acme import jose, solvers
from haystack.tls.acme.csr import ACME_IDENTIFIER
from haystack.tls.acme.errors import ChallengeError
from haystack.tls.acme.orders import Proof
from haystack.tls.acme.solvers import AlpnChallenges, DnsChallenges, HttpChallenges
from haystack.tls.store import Store

PROOF = Proof("www.example.com", "tok", "tok.thumb")


@pytest.fixture
def heard():
    """What had been told when workers were asked whether they have heard it."""
    told, seen = [], []

    async def hear():
        seen.append(list(told))

    hear.told, hear.seen = told, seen
    return hear


async def test_over_http_workers_have_it_before_the_authority_looks(heard):
    http = HttpChallenges(heard.told.append, heard)
    await http.show(PROOF)
    assert heard.seen == [[(("www.example.com", "tok"),)]]
    assert [http.answer(host, "tok") for host in ("www.example.com", "WWW.example.com.:80")] == ["tok.thumb"] * 2
    assert [http.answer(*asked) for asked in (("example.com", "tok"), ("www.example.com", "to"), ("", "tok"))] == [None] * 3
    await http.hide(PROOF)
    assert (http.answer("www.example.com", "tok"), heard.told[-1]) == (None, ())
    assert (http.can("x", wildcard=False), http.can("x", wildcard=True)) == (True, False)


class World:
    async def leads_to(self, name):
        return name


@pytest.fixture
def registry():
    return Registry("haystack")


@pytest.fixture
def by_dns(registry, heard):
    shown = Challenges(lambda records: registry.take_records(records, SOURCE))
    return DnsChallenges(shown, "example.com", lambda: registry.snapshot.records, World(), heard)


async def test_in_dns_it_is_published_before_the_authority_looks(registry, by_dns):
    task = asyncio.create_task(by_dns.show(PROOF))
    await task
    (record,) = next(iter(registry.snapshot.records.values()))
    assert record[2][1:].decode() == jose.b64u(hashlib.sha256(b"tok.thumb").digest())
    await by_dns.hide(PROOF)
    registry.flush()
    assert registry.snapshot.records == {}


async def test_two_proofs_of_one_name_stand_beside_one_another(registry, by_dns):
    """As of a name and its wildcard in one order."""
    other = Proof("www.example.com", "tik", "tik.thumb")
    await asyncio.gather(by_dns.show(PROOF), by_dns.show(other))
    assert len(next(iter(registry.snapshot.records.values()))) == 2
    await by_dns.hide(PROOF)
    registry.flush()
    assert len(next(iter(registry.snapshot.records.values()))) == 1
    await by_dns.hide(other)


async def test_a_zone_that_does_not_publish_it_is_not_waited_for_long(heard, monkeypatch):
    monkeypatch.setattr(solvers, "PUBLISHED", 0.1)
    silent = DnsChallenges(Challenges(lambda _records: None), "example.com", dict, World(), heard)
    with pytest.raises(ChallengeError, match="has not published"):
        await silent.show(PROOF)
    await silent.hide(PROOF)


async def test_over_tls_the_certificate_says_what_rfc_8737_wants(heard):
    store = Store()
    alpn = AlpnChallenges(store.challenge, heard)
    await alpn.show(PROOF)
    made = x509.load_pem_x509_certificate(store.picture.challenges["www.example.com"].chain)
    proved = made.extensions.get_extension_for_oid(ACME_IDENTIFIER)
    assert proved.critical
    assert proved.value.value == b"\x04\x20" + hashlib.sha256(b"tok.thumb").digest()
    names = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["www.example.com"]
    await alpn.hide(PROOF)
    await asyncio.sleep(0)
    assert store.picture.challenges == {}
    assert not alpn.can("x", wildcard=True)
