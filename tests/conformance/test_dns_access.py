"""Who may ask DNS: the zone is for the inside, other names for those with recursion; strangers are refused, whatever is there."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import dns.edns
import dns.flags
import dns.message
import dns.query
import dns.rcode
import pytest

from tests.fakes.origin import Origin
from tests.fakes.worker import Haystack, Member, host

FRIEND, STRANGER, RESOLVED, INNER = "127.0.0.2", "127.0.0.5", "127.0.0.6", "127.0.0.3"
ADDRESSES = (host("web"), host("nowhere"), "ns.haystack", "services.haystack", "webx0.containers.haystack", "localhost")
NAMES = dict.fromkeys(ADDRESSES, "A") | {
    "haystack": "SOA",
    "haystack.": "ANY",
    "_http._tcp.open.services.haystack": "SRV",
    "1.0.0.127.in-addr.arpa": "PTR",
    "9.9.9.10.in-addr.arpa": "PTR",
}


@pytest.fixture(scope="module")
def upstream() -> Iterator[int]:
    """A nameserver that knows every name."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))

        def serve() -> None:
            while True:
                try:
                    query, peer = sock.recvfrom(4096)
                except OSError:
                    return
                if not query:
                    return
                reply = dns.message.make_response(dns.message.from_wire(query), recursion_available=True)
                reply.answer.append(dns.rrset.from_text(reply.question[0].name, 60, "IN", "A", "192.0.2.1"))
                sock.sendto(reply.to_wire(), peer)

        thread = threading.Thread(target=serve)
        thread.start()
        yield sock.getsockname()[1]
        sock.sendto(b"", sock.getsockname())
        thread.join()


@pytest.fixture(scope="module")
def haystack(fakes: object, upstream: int) -> Iterator[Haystack]:
    members = [Member("web", 1), Member("open", 1, {"haystack.public": "true"})]
    inside, recursing = f"127.0.0.1,{FRIEND},{INNER}", f"{FRIEND},{RESOLVED}"
    with Haystack(
        members, HAYSTACK_ALLOW=inside, HAYSTACK_DNS_RECURSION=recursing, HAYSTACK_DNS_NAMESERVERS=f"127.0.0.1:{upstream}"
    ) as made:
        yield made


def ask(haystack: Haystack, source: str, name: str, kind: str = "A", *, tcp: bool = False) -> dns.message.Message:
    query = dns.message.make_query(name, kind, use_edns=0)
    by = dns.query.tcp if tcp else dns.query.udp
    return by(query, "127.0.0.1", port=int(haystack.wait("dns.listening")["port"]), timeout=5, source=source)


@pytest.mark.parametrize("tcp", [False, True])
@pytest.mark.parametrize(("name", "kind"), NAMES.items())
def test_a_stranger_is_refused_alike_whatever_is_there(haystack: Haystack, name: str, kind: str, tcp: bool) -> None:
    for source in (STRANGER, RESOLVED):
        reply = ask(haystack, source, name, kind, tcp=tcp)
        assert reply.rcode() == dns.rcode.REFUSED
        assert [reply.answer, reply.authority, reply.additional] == [[], [], []]
        assert [option.code for option in reply.options if isinstance(option, dns.edns.EDEOption)] == [dns.edns.EDECode.PROHIBITED]
    assert ask(haystack, FRIEND, name, kind, tcp=tcp).rcode() != dns.rcode.REFUSED


def test_a_public_name_is_everybodys(haystack: Haystack) -> None:
    reply = ask(haystack, STRANGER, host("open"))
    assert reply.answer[0][0].to_text() == "127.0.0.1"
    assert not reply.flags & dns.flags.RA
    assert ask(haystack, STRANGER, host("open"), "AAAA").rcode() == dns.rcode.NOERROR
    assert ask(haystack, FRIEND, host("open")).flags & dns.flags.RA


@pytest.mark.parametrize("tcp", [False, True])
def test_other_names_are_for_those_with_recursion(haystack: Haystack, tcp: bool) -> None:
    for source in (FRIEND, RESOLVED):
        assert ask(haystack, source, "example.com", tcp=tcp).answer[0][0].to_text() == "192.0.2.1"
    for source in (STRANGER, INNER):
        assert ask(haystack, source, "example.com", tcp=tcp).rcode() == dns.rcode.REFUSED


def test_what_is_in_the_cache_is_told_to_nobody_else(haystack: Haystack) -> None:
    assert ask(haystack, FRIEND, "cached.example").rcode() == dns.rcode.NOERROR
    assert ask(haystack, STRANGER, "cached.example").rcode() == dns.rcode.REFUSED


def test_who_is_inside_without_recursion_is_told_so(haystack: Haystack) -> None:
    """RFC 1035, section 4.1.1: RA is clear."""
    reply = ask(haystack, INNER, host("web"))
    assert (reply.rcode(), bool(reply.flags & dns.flags.RA)) == (dns.rcode.NOERROR, False)


def test_a_private_reverse_zone_goes_to_its_nameserver_if_one_is_set(origin: Origin, upstream: int) -> None:
    forward = f"10.in-addr.arpa=127.0.0.1:{upstream};corp.example=127.0.0.1:{upstream}"
    with Haystack([Member("web", origin.port)], HAYSTACK_DNS_FORWARD=forward, HAYSTACK_DNS_NAMESERVERS="127.0.0.1:1") as made:
        for name in ("www.corp.example", "9.9.9.10.in-addr.arpa"):
            assert ask(made, FRIEND, name).answer[0][0].to_text() == "192.0.2.1"
        assert ask(made, FRIEND, "9.9.168.192.in-addr.arpa").rcode() == dns.rcode.NXDOMAIN
        assert ask(made, FRIEND, "example.com").rcode() == dns.rcode.SERVFAIL


def test_off_is_nobody_and_the_zone_answers_still(origin: Origin) -> None:
    with Haystack([Member("web", origin.port)], HAYSTACK_DNS_RECURSION="off", HAYSTACK_DNS_NAMESERVERS="127.0.0.1:1") as made:
        assert ask(made, FRIEND, host("web")).answer
        assert ask(made, FRIEND, "example.com").rcode() == dns.rcode.REFUSED
