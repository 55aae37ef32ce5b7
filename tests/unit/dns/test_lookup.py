"""The shell's `dig`: other names too, and where each answer comes from."""

import asyncio
from types import SimpleNamespace

import pytest

from haystack.dns import lookup, wire
from haystack.dns.forward import resolved
from haystack.dns.forward.cache import Answer
from haystack.dns.forward.resolved import Source
from haystack.dns.lookup import Lookup

RECORD = b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\xc0\0\2\1"
GOOD = Answer(wire.Packed(wire.RA, RECORD, (len(RECORD),), (1, 0, 0), (6,)), 60, b"", "10.0.0.2:53")


class Dns:
    """The service, as far as it is asked. found: what nameservers say."""

    def __init__(self, feed, found=None):
        self.feed, self.found = feed, found
        self.clients = []

    async def find(self, query, client):
        self.clients.append(client)
        return await self.found() if callable(self.found) else self.found

    def nameservers(self, query):
        return ["10.0.0.2:53", "10.0.0.3:53"]

    def figures(self):
        return None


@pytest.fixture
def dig(responder):
    async def dig(name, kind="A", found=None, local="127.0.0.1"):
        return await Lookup(Dns(responder.feed, found)).resolve(name, kind, local)

    return dig


async def test_a_name_of_the_zone(dig):
    assert await dig("nginx.services.haystack", local="10.1.2.3") == [
        ";; NOERROR, 1 answer",
        "nginx.services.haystack. 5       IN      A       10.1.2.3",
        ";; from the zone",
    ]


@pytest.mark.parametrize(
    ("found", "status", "told"),
    [
        (resolved.given(GOOD, Source.UPSTREAM), "NOERROR", "from nameserver 10.0.0.2:53"),
        (resolved.given(GOOD, Source.CACHE), "NOERROR", "from the cache, for 60 s more: nameserver 10.0.0.2:53 said so"),
        (resolved.stale(GOOD), "NOERROR", "stale, from the cache: no nameserver answers now, and nameserver 10.0.0.2:53 said so before"),
        (resolved.NO_ANSWER, "SERVFAIL", "failure: no nameserver answered (nameservers: 10.0.0.2:53, 10.0.0.3:53)"),
        (resolved.BAD_ANSWER._replace(server="10.0.0.2:53"), "SERVFAIL", "failure: nameserver 10.0.0.2:53 has failed"),
        (resolved.BUSY, "SERVFAIL", "failure: too many queries wait for nameservers (nameservers: 10.0.0.2:53, 10.0.0.3:53)"),
        (resolved.LOOP, "REFUSED", "failure: a nameserver sends Haystack's own queries back to it (nameservers: 10.0.0.2:53, 10.0.0.3:53)"),
    ],
)
async def test_where_the_answer_of_others_comes_from(dig, found, status, told):
    lines = await dig("www.example", found=found)
    assert lines[0].startswith(f";; {status}, ")
    assert lines[-1] == f";; {told}"
    assert ("192.0.2.1" in lines[1]) == (status == "NOERROR")


async def test_no_nameserver(dig):
    assert resolved.reason(resolved.NO_SERVER) == "no nameserver is configured for this name"


async def test_before_forwarding_has_started(dig):
    assert await dig("www.example") == [";; forwarding has not started yet"]


async def test_one_that_takes_too_long(dig, monkeypatch):
    monkeypatch.setattr(lookup, "SECONDS", 0.01)
    assert (await dig("www.example", found=asyncio.Event().wait))[-1].startswith(";; failure: no nameserver answered")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("x", "BLAH"), "no such record type: BLAH"),
        (("x" * 64,), "not a DNS name"),
        (("..",), "not a DNS name: a label of '..' is empty"),
        (("a..b",), "not a DNS name: a label of 'a..b' is empty"),
        (("",), "not a DNS name: a label of '' is empty"),
    ],
)
async def test_what_can_not_be_asked(dig, words, told):
    (line,) = await dig(*words)
    assert told in line


async def test_an_answer_that_makes_no_sense_is_still_an_answer(dig):
    broken = Answer(wire.Packed(wire.RA, b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\2\xc0\0", (14,), (1, 0, 0), (6,)), 60, b"", "10.0.0.2:53")
    lines = await dig("www.example", found=resolved.given(broken, Source.UPSTREAM))
    assert lines[0].startswith(";; NOERROR, but it can't be shown")
    assert lines[-1] == ";; from nameserver 10.0.0.2:53"


async def test_types_that_browsers_and_mail_ask_for_are_known(dig):
    for kind in ("HTTPS", "MX", "CNAME", "CAA", "TYPE65"):
        assert (await dig("nginx.services.haystack", kind))[0] == ";; NOERROR, 0 answers"


async def test_the_client_is_the_address_by_which_the_person_came(responder):
    made = Dns(responder.feed, resolved.NO_ANSWER)
    await Lookup(made).resolve("www.example", "A", "fe80::1%eth0")
    assert made.clients == ["fe80::1"]


def test_without_waiting_the_zone_alone(responder):
    found = Lookup(SimpleNamespace(feed=responder.feed)).lookup("www.example", "A", "127.0.0.1")
    assert found == [";; not in the zone: forwarded to the nameservers"]
