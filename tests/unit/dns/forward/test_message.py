"""Questions as they go out, and what of a message that came is believed, by themselves."""

import dns.flags
import dns.message
import dns.rrset
import pytest
from hypothesis import given
from hypothesis import strategies as st

from haystack.dns import wire
from haystack.dns.forward import message
from haystack.dns.forward.message import Verdict
from tests.oracles.dns_answer import render
from tests.unit.dns.forward.client import parsed
from tests.unit.dns.nameserver import says

QUERY = parsed("example.com")
SENT = message.question(QUERY)
PACKET = SENT.packet


def test_a_question_is_a_message_with_our_own_edns():
    query = parsed("example.com", want_dnssec=True, flags=dns.flags.RD | dns.flags.CD)
    found = dns.message.from_wire(message.question(query).packet)
    assert found.flags == dns.flags.RD | dns.flags.CD
    assert (found.edns, found.payload, found.ednsflags) == (0, wire.PAYLOAD, dns.flags.DO)
    assert found.question[0].name.to_text().lower() == "example.com."
    assert dns.message.from_wire(message.question(query, plain=True).packet).edns == -1


def test_in_lower_case_it_is_as_it_was_asked():
    assert message.question(QUERY, caseless=True).question == QUERY.question


@given(st.binary(max_size=80))
def test_a_random_case_changes_letters_alone(name):
    mixed = message.mixed(name)
    assert mixed.lower() == name.lower()


def test_every_letter_has_either_case():
    name = bytes(range(256)) * 20
    changed = {octet for octet, other in zip(name, message.mixed(name), strict=True) if octet != other}
    assert changed == {*b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"}


OTHER_CASE = PACKET[12:-15].swapcase() + PACKET[-15:]


@pytest.mark.parametrize(
    ("reply", "verdict"),
    [
        (b"", Verdict.IGNORED),  # nothing
        (PACKET[:1], Verdict.IGNORED),  # half an id
        (bytes((PACKET[0] ^ 1, PACKET[1], 0x80)) + PACKET[3:], Verdict.IGNORED),  # another id
        (PACKET[:2], Verdict.GARBLED),  # an id alone
        (PACKET, Verdict.LYING),  # no response
        (PACKET[:2] + b"\xa8" + PACKET[3:], Verdict.LYING),  # another opcode
        (PACKET[:2] + b"\x80" + PACKET[3:12] + b"\x07exampla" + PACKET[20:], Verdict.LYING),  # another name
        (PACKET[:2] + b"\x80" + PACKET[3:20], Verdict.LYING),  # cut off
        (PACKET[:2] + b"\x80" + PACKET[3:4] + b"\0\2" + PACKET[6:], Verdict.GARBLED),  # two questions
        (PACKET[:2] + b"\x80\0" + bytes(8), Verdict.GARBLED),  # success without a question
        (PACKET[:2] + b"\x80\3" + bytes(8), Verdict.GARBLED),  # nor is that a name that is not there
        (PACKET[:2] + b"\x80\1" + bytes(8), Verdict.ANSWER),  # FORMERR, a header alone
        (PACKET[:2] + b"\x80" + PACKET[3:12] + OTHER_CASE, Verdict.OTHER_CASE),
        (PACKET[:2] + b"\x80" + PACKET[3:], Verdict.ANSWER),
    ],
    ids=range(14),  # the id and the case of letters are others in each process that takes part
)
def test_what_is_an_answer_to_our_question(reply, verdict):
    assert message.judge(SENT, reply) is verdict


def test_over_tcp_any_case_will_do():
    assert message.judge(SENT, PACKET[:2] + b"\x80" + PACKET[3:12] + OTHER_CASE, tcp=True) is Verdict.ANSWER


def read(*records, name="example.com", **more):
    query = dns.message.make_query(name, "A")
    reply = says(*records, **more)(query, False)
    return message.read(reply.to_wire(), wire.parse(query.to_wire()).question)


def packed(*records, **more):
    return message.packed(read(*records, **more))


def shown(found, name="example.com"):
    query = parsed(name)
    return dns.message.from_wire(render(found, query, tcp=True))


def test_the_lowest_ttl_of_an_rrset_is_that_of_all():
    query = dns.message.make_query("example.com", "A")
    reply = dns.message.make_response(query)
    for ttl, address in ((60, "192.0.2.1"), (40, "192.0.2.2")):
        reply.answer.append(dns.rrset.from_text("example.com.", ttl, "IN", "A", address))
    reply.answer.append(dns.rrset.from_text("other.com.", 50, "IN", "A", "192.0.2.3"))
    found, lifetime = message.packed(message.read(reply.to_wire(), query.to_wire()[12:]))
    assert lifetime == 40
    assert found.body.count((40).to_bytes(4, "big")) == 2
    assert found.body.count((50).to_bytes(4, "big")) == 1


@pytest.mark.parametrize(("ttl", "seen"), [(2**31 - 1, 2**31 - 1), (2**31, 0), (2**32 - 1, 0)])
def test_a_ttl_has_31_bits(ttl, seen):
    """RFC 2181, section 8."""
    data = says("1 A 192.0.2.1")(dns.message.make_query("example.com", "A"), False).to_wire()
    asked = wire.question(wire.name("example.com"), 1)[12:]
    data = data.replace(b"\0\1\0\1\0\0\0\1\0\4", b"\0\1\0\1" + ttl.to_bytes(4, "big") + b"\0\4")
    found, lifetime = message.packed(message.read(data, asked))
    assert lifetime == seen
    assert shown(found).answer[0].ttl == seen


SOA = "ns.example. host.example. 1 2 3 4 {}"


@pytest.mark.parametrize(("ttl", "minimum", "seen"), [(900, 30, 30), (30, 900, 30), (86_400, 86_400, 10_800), (60, 0, 0)])
def test_a_negative_answer_lives_as_its_soa_says_and_shows_it(ttl, minimum, seen):
    """RFC 2308, sections 3 and 5."""
    found, lifetime = packed(authority=[f"{ttl} SOA {SOA.format(minimum)}"])
    assert (lifetime, shown(found).authority[0].ttl) == (seen, seen)


def test_what_was_for_us_alone_is_left_out():
    found, _ = packed("60 A 192.0.2.1")
    assert shown(found).edns == -1
    assert found.counts == (1, 0, 0)


def test_the_upper_bits_of_a_code_count():
    assert read(rcode=dns.rcode.BADVERS).rcode == 16


@given(st.binary(max_size=200))
def test_any_bytes_are_taken_apart_or_refused(data):
    asked = wire.question(wire.name("example.com"), 1)[12:]
    packet = b"\0\0\x81\x80\0\1" + data[:6].ljust(6, b"\0") + asked + data[6:]
    try:
        found, lifetime = message.packed(message.read(packet, asked))
    except wire.FormatError:
        return
    assert len(found.ends) == len(found.ttls) == sum(found.counts)
    assert 0 <= lifetime < 2**31


A_RECORD = b"\0\1\0\1\0\0\0\x3c\0\4"
POINTING = {
    "to its own data": (b"\xc0%c" + A_RECORD + b"\1a\0\0", 12),
    "into a label that runs into itself": (b"\xc0\x0c" + A_RECORD + b"\5abc" + b"\xc0%c" + A_RECORD + b"\xc0\0\2\1", 12),
}


@pytest.mark.parametrize("where", POINTING)
def test_a_name_that_points_forward_is_garbled(where):
    """RFC 1035, section 4.1.4: to a prior occurrence. What is behind is another thing for each asker, who may have it cut off."""
    text, to = POINTING[where]
    start = wire.HEADER + len(SENT.question)
    count = text.count(A_RECORD).to_bytes(2, "big")
    with pytest.raises(wire.FormatError):
        message.read(PACKET[:2] + b"\x80\0\0\1" + count + b"\0\0\0\0" + SENT.question + text % (start + to), SENT.question)
