"""Whatever bytes come, the responder answers or is silent; what it answers is a DNS message (oracle: dnspython)."""

import dns.message
import dns.name
from hypothesis import given
from hypothesis import strategies as st

from haystack.dns import wire
from tests.unit.dns.conftest import FORWARD, Zoned

RESPONDER = Zoned()
LABEL = st.binary(min_size=1, max_size=20)


def check(packet, tcp):
    reply = RESPONDER.answer(packet, "172.17.0.2", tcp)
    if isinstance(reply, bytes):
        assert reply[:2] == packet[:2]
        assert reply[2] & 0x80
        assert len(reply) <= (65535 if tcp else 1232)
        dns.message.from_wire(reply)


@given(st.binary(max_size=200), st.booleans())
def test_random_bytes_never_raise(packet, tcp):
    check(packet, tcp)


@given(st.binary(max_size=100), st.integers(0, 3), st.booleans())
def test_random_bytes_after_a_good_header_never_raise(rest, additionals, tcp):
    check(b"\x12\x34\1\0\0\1\0\0\0\0\0" + bytes((additionals,)) + rest, tcp)


@given(st.lists(LABEL, max_size=8), st.sampled_from(["haystack", "localhost", "10.in-addr.arpa"]), st.integers(0, 65535))
def test_any_name_of_ours_is_answered(labels, apex, qtype):
    name = dns.name.Name([*labels, *apex.encode().split(b"."), b""])
    packet = wire.question(name.to_wire(), qtype)
    assert RESPONDER.answer(packet, "172.17.0.2", tcp=False) is not FORWARD
    check(packet, tcp=False)


@given(st.lists(st.text("ABCxyz019-_", min_size=1, max_size=63), max_size=3))
def test_names_go_to_wire_as_dnspython_has_them(labels):
    text = ".".join(labels)
    assert wire.name(text) == dns.name.from_text(text.lower()).to_wire()
