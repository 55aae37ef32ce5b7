"""The responder as a function of bytes: flags, case, EDNS, truncation, and what it does with rubbish."""

import struct

import dns.edns
import dns.flags
import dns.message
import dns.name
import dns.opcode
import dns.rcode
import dns.rdatatype
import dns.rrset
import dns.update
import pytest

from haystack.dns import wire
from haystack.dns.zone import Zone
from tests.unit.dns.conftest import FORWARD, OWN, Zoned, container, endpoint, picture, service

VALID = dns.message.make_query("nginx.services.haystack", "A", use_edns=0).to_wire()


def crowd(count):
    """A service of so many endpoints that its answer is long."""
    members = [container(n, f"db-x{n}") for n in range(1, count + 1)]
    members = [c.__class__(id=f"{n:012d}", name=c.name, engine="E", address=f"10.0.{n >> 8}.{n & 255}") for n, c in enumerate(members)]
    return Zoned(picture(members, [service("db", *(endpoint(m, 5432, "postgresql") for m in members))]))


def rcode_of(reply):
    return reply[3] & 15


def test_answers_are_authoritative_with_recursion_offered(ask):
    message = ask("haystack")
    assert message.flags & dns.flags.AA
    assert message.flags & dns.flags.RA
    assert message.flags & dns.flags.RD


@pytest.mark.parametrize("name", ["nGiNx.SERVICES.haystack", "NGINX.services.HAYSTACK"])
def test_the_case_of_the_question_comes_back(responder, name):
    for _ in range(2):  # packed, then from what was packed
        query = dns.message.make_query(name, "A").to_wire()
        reply = responder.answer(query, OWN, tcp=False)
        assert reply[12 : len(query)] == query[12:]
        assert dns.message.from_wire(reply).answer[0].name.to_text() == f"{name}."


def test_own_address_is_the_one_that_was_asked(ask):
    assert ask("haystack", local="10.1.2.3").answer[0][0].to_text() == "10.1.2.3"
    assert ask("haystack", local="10.1.2.4").answer[0][0].to_text() == "10.1.2.4"
    assert ask("haystack", "AAAA", local="fd00::9").answer[0][0].to_text() == "fd00::9"
    assert not ask("haystack", "A", local="fd00::9").answer
    assert ask("haystack", "A", local="::ffff:10.1.2.3").answer[0][0].to_text() == "10.1.2.3"
    assert not ask("haystack", "A", local="0.0.0.0").answer


def test_own_address_that_is_set_wins(stocked):
    made = Zoned(stocked, ("192.0.2.1", "2001:db8::1"))
    assert "192.0.2.1" in made.lookup("nginx.services.haystack", "A", OWN)[1]
    assert "2001:db8::1" in made.lookup("nginx.services.haystack", "AAAA", OWN)[1]
    assert "haystack." in made.lookup("1.2.0.192.in-addr.arpa", "PTR", OWN)[1]


def test_reverse_of_one_askers_address_is_not_kept_for_another(ask):
    assert ask("8.8.17.172.in-addr.arpa", "PTR", local=OWN).rcode() == dns.rcode.NXDOMAIN
    assert ask("8.8.17.172.in-addr.arpa", "PTR", local="172.17.8.8").answer
    assert ask("8.8.17.172.in-addr.arpa", "PTR", local=OWN).rcode() == dns.rcode.NXDOMAIN


def test_a_new_snapshot_replaces_every_answer(ask, responder):
    assert ask("redis.services.haystack").answer
    responder.publish(picture(version=8))
    gone = ask("redis.services.haystack")
    assert gone.rcode() == dns.rcode.NXDOMAIN
    assert gone.authority[0][0].serial == 8


def test_serial_wraps_and_is_never_zero():
    assert Zone.of(picture(version=2**32), 5).serial == 1
    assert Zone.of(picture(version=2**32 + 9), 5).serial == 9


@pytest.mark.parametrize("name", ["example.com", "com", "8.8.8.8.in-addr.arpa", "haystack.example", "xhaystack", "1.15.172.in-addr.arpa"])
def test_what_is_not_ours_is_forwarded(responder, name):
    assert responder.answer(dns.message.make_query(name, "A").to_wire(), OWN, tcp=False) is FORWARD


def test_the_root_is_forwarded(responder):
    assert responder.answer(dns.message.make_query(".", "NS").to_wire(), OWN, tcp=False) is FORWARD


def test_edns_is_answered_with_edns_and_cookies_are_passed_over(ask):
    cookie = dns.edns.GenericOption(10, b"12345678")
    message = ask("haystack", use_edns=0, payload=4096, options=[cookie], want_dnssec=True)
    assert (message.edns, message.payload, message.options) == (0, 1232, ())
    assert message.ednsflags & dns.flags.DO
    assert ask("haystack").edns == -1


def test_a_later_version_of_edns_is_badvers(ask):
    assert ask("haystack", use_edns=1).rcode() == dns.rcode.BADVERS


def test_long_answers_over_udp_are_cut_and_whole_over_tcp():
    made = crowd(200)
    query = dns.message.make_query("db.services.haystack", "A")
    cut = made.answer(query.to_wire(), OWN, tcp=False)
    assert len(cut) <= 512
    message = dns.message.from_wire(cut, raise_on_truncation=False)
    assert message.flags & dns.flags.TC
    assert len(message.answer[0]) == (512 - 12 - 26) // 16
    whole = dns.message.from_wire(made.answer(query.to_wire(), OWN, tcp=True))
    assert not whole.flags & dns.flags.TC
    assert len(whole.answer[0]) == 200


@pytest.mark.parametrize(("payload", "limit"), [(0, 512), (700, 700), (1232, 1232), (65535, 1232)])
def test_the_askers_own_limit_holds(payload, limit):
    query = dns.message.make_query("db.services.haystack", "A", use_edns=0, payload=payload).to_wire()
    reply = crowd(200).answer(query, OWN, tcp=False)
    assert limit - 16 < len(reply) <= limit
    assert dns.message.from_wire(reply).edns == 0


def test_as_many_additional_records_as_fit_and_no_tc():
    query = dns.message.make_query("_postgresql._tcp.db.services.haystack", "SRV").to_wire()
    message = dns.message.from_wire(crowd(7).answer(query, OWN, tcp=False))
    assert len(message.answer[0]) == 7
    assert 0 < len(message.additional) < 7
    assert not message.flags & dns.flags.TC


def test_an_answer_past_what_pointers_reach_is_still_right():
    query = dns.message.make_query("_postgresql._tcp.db.services.haystack", "SRV").to_wire()
    message = dns.message.from_wire(crowd(600).answer(query, OWN, tcp=True))
    assert len(message.answer[0]) == 600
    assert len(message.additional) == 600


def test_silence_for_fragments_and_for_answers(responder):
    assert all(responder.answer(bytes(n), OWN, tcp=False) is None for n in range(12))
    answer = bytearray(VALID)
    answer[2] |= 0x80
    assert responder.answer(bytes(answer), OWN, tcp=False) is None


@pytest.mark.parametrize("end", range(12, len(VALID)))
def test_every_truncated_query_is_formerr(responder, end):
    assert rcode_of(responder.answer(VALID[:end], OWN, tcp=False)) == wire.FORMERR


@pytest.mark.parametrize("opcode", range(1, 16))
def test_other_opcodes_are_notimp(responder, opcode):
    reply = responder.answer(VALID[:2] + bytes((opcode << 3,)) + VALID[3:], OWN, tcp=False)
    assert rcode_of(reply) == wire.NOTIMP
    assert reply[2] >> 3 & 15 == opcode
    assert reply[12:] == wire.opt_record(False)


def notify():
    """RFC 1996, section 3.7."""
    message = dns.message.make_query("haystack", "SOA")
    message.set_opcode(dns.opcode.NOTIFY)
    message.answer.append(dns.rrset.from_text("haystack.", 5, "IN", "SOA", "ns.haystack. host.haystack. 1 2 3 4 5"))
    return message


def update():
    """RFC 2136, section 2: a prerequisite, and a record to add."""
    message = dns.update.UpdateMessage("haystack")
    message.present("web")
    message.add("web", 60, "A", "192.0.2.1")
    return message


def questions(count):
    message = dns.message.make_query("haystack", "A")
    message.question = [dns.rrset.RRset(dns.name.from_text(f"{n}.haystack"), 1, 1) for n in range(count)]
    return message


@pytest.mark.parametrize("dnssec", [False, True])
@pytest.mark.parametrize("edns", [False, True])
@pytest.mark.parametrize(
    ("message", "rcode"),
    [(notify(), wire.NOTIMP), (update(), wire.NOTIMP), (questions(0), wire.FORMERR), (questions(2), wire.FORMERR)],
    ids=["NOTIFY", "UPDATE", "no question", "two questions"],
)
def test_what_is_no_query_is_answered_with_edns_where_it_has_it(responder, message, rcode, edns, dnssec):
    """RFC 6891, sections 6.1.1 and 7. A cookie alone (RFC 7873, section 5.4) is none. Where the counts were odd, EDNS was not seen."""
    if edns:
        message.use_edns(0, ednsflags=dns.flags.DO * dnssec, options=[dns.edns.GenericOption(10, b"12345678")])
    else:
        message.use_edns(False)
    reply = responder.answer(message.to_wire(), OWN, tcp=False)
    assert rcode_of(reply) == rcode
    assert reply[2] >> 3 & 15 == message.opcode()
    assert reply[12:] == (wire.opt_record(dnssec) if edns else b"")


@pytest.mark.parametrize(
    "question",
    [b"\xc0\x0c\0\1\0\1", (b"\x3f" + b"a" * 63) * 4 + b"\0\0\1\0\1"],
    ids=["a pointer in the question", "a name of more than 255 octets"],
)
def test_a_malformed_question_is_answered_with_formerr(responder, question):
    query = VALID[:4] + struct.pack("!4H", 1, 0, 0, 1) + question + wire.opt_record(False)
    reply = responder.answer(query, OWN, tcp=False)
    assert (rcode_of(reply), reply[12:]) == (wire.FORMERR, wire.opt_record(False))


@pytest.mark.parametrize("counts", [(65535, 65535, 65535, 65535), (0, 65535, 65535, 1), (3, 0, 0, 1), (1, 1, 0, 0)])
def test_what_has_less_than_it_says_has_no_edns(responder, counts):
    reply = responder.answer(VALID[:4] + struct.pack("!4H", *counts) + VALID[12:], OWN, tcp=False)
    assert (rcode_of(reply), reply[12:]) == (wire.FORMERR, b"")


@pytest.mark.parametrize("counts", [(0, 0, 0, 0), (2, 0, 0, 0), (1, 1, 0, 0), (1, 0, 1, 0), (1, 0, 0, 2), (65535, 65535, 65535, 65535)])
def test_counts_that_are_no_query_are_formerr(responder, counts):
    assert rcode_of(responder.answer(VALID[:4] + struct.pack("!4H", *counts) + VALID[12:], OWN, tcp=False)) == wire.FORMERR


def test_a_pointer_in_the_question_is_formerr(responder):
    query = VALID[:4] + struct.pack("!4H", 1, 0, 0, 0) + b"\xc0\x0c\0\1\0\1"
    assert rcode_of(responder.answer(query, OWN, tcp=False)) == wire.FORMERR


def test_a_name_of_more_than_255_octets_is_formerr(responder):
    query = VALID[:4] + struct.pack("!4H", 1, 0, 0, 0) + (b"\x3f" + b"a" * 63) * 4 + b"\0\0\1\0\1"
    assert rcode_of(responder.answer(query, OWN, tcp=False)) == wire.FORMERR


def test_two_opt_records_are_formerr(responder):
    query = VALID[:10] + b"\0\2" + VALID[12:] + wire.opt_record(False)
    assert rcode_of(responder.answer(query, OWN, tcp=False)) == wire.FORMERR


@pytest.mark.parametrize("rdtype", ["AXFR", "IXFR"])
def test_transfers_are_refused(ask, responder, rdtype):
    query = wire.question(wire.name("haystack"), dns.rdatatype.from_text(rdtype))
    assert rcode_of(responder.answer(query, OWN, tcp=True)) == wire.REFUSED


def test_other_classes_are_refused(ask):
    assert ask("version.bind", "TXT", rdclass="CH").rcode() == dns.rcode.REFUSED


def test_a_fault_of_ours_is_servfail_and_told(responder):
    told = []
    responder.compiled.on_fault = told.append
    responder.compiled.zone.nodes[wire.name("nginx.services.haystack")] = b"\0garbage"
    assert rcode_of(responder.answer(VALID, OWN, tcp=False)) == wire.SERVFAIL
    assert len(told) == 1


def test_an_odd_container_leaves_the_others_their_names():
    made = Zoned()
    odd = [container(2, "x" * 300), container(3, "..."), container(4, "a b\0c"), container(6, "fine")]
    odd.append(container(7, "nowhere").__class__(id="7", name="nowhere", engine="E", address="not an address"))
    made.publish(picture(odd))
    assert "172.17.0.6" in made.lookup("fine.containers.haystack", "A", OWN)[1]
    assert "172.17.0.4" in made.lookup("a-b-c.containers.haystack", "A", OWN)[1]
    assert made.lookup("nowhere.containers.haystack", "A", OWN)[0] == ";; NOERROR, 0 answers"


def test_lookup_speaks_to_a_person(responder):
    assert responder.lookup("example.com", "A", OWN) == [";; not in the zone: forwarded to the nameservers"]
    assert responder.lookup("haystack", "NONSENSE", OWN) == [";; no such record type: NONSENSE"]
    assert responder.lookup("haystack", "TYPE65536", OWN) == [";; no such record type: TYPE65536"]
    assert responder.lookup("haystack", "TYPE1", OWN)[0] == ";; NOERROR, 1 answer"
    assert responder.lookup("x" * 64, "A", OWN)[0].startswith(";; not a DNS name")
    assert responder.lookup("no.haystack", "A", OWN)[0] == ";; NXDOMAIN, 0 answers"


def test_names_that_somebody_invents_are_kept_nowhere(responder, ask):
    known = set(responder.compiled.zone.nodes)
    for number in range(1, 200):
        assert ask(f"x{number}.a.services.haystack", rdtype="AAAA" if number % 2 else "SRV").rcode() == dns.rcode.NXDOMAIN
    assert set(responder.compiled.zone.nodes) == known


def test_a_denial_has_the_soa_of_the_newest_snapshot(responder, ask, stocked):
    [record] = [rrset[0] for rrset in ask("no.haystack").authority]
    assert str(record) == f"ns.haystack. hostmaster.haystack. {stocked.version} 3600 600 86400 5"
    [rrset] = ask("no.10.in-addr.arpa", "PTR").authority
    assert str(rrset.name) == "10.in-addr.arpa."
