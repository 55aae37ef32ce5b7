"""Whatever bytes come, the responder answers or is silent; what it answers is a DNS message (oracle: dnspython)."""

import dns.message
import dns.name
from hypothesis import given
from hypothesis import strategies as st

from haystack._fast.dns import testing
from haystack.dns import wire
from haystack.dns.forward import rewriting
from haystack.dns.forward.message import packed
from haystack.dns.forward.resolved import Resolved as Answer
from haystack.dns.forward.resolved import Source
from haystack.dns.forward.rewriting import Plain
from haystack.dns.service import resolved
from tests.oracles.dns_answer import render
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


RECORD = st.tuples(st.integers(0, 2), st.sampled_from([1, 5, 6, 16, 28]), st.integers(0, 2**31 - 1), st.binary(max_size=300))
QUESTION = st.sampled_from(["example.com", "a.b.c.d.e.example.org", "x" * 63 + ".example"])


@given(
    st.lists(RECORD, max_size=40), QUESTION, st.sampled_from([0, 2, 3]), st.one_of(st.none(), st.integers(0, 65535)), st.booleans(),
    st.integers(0, 100_000), st.sampled_from([b"", b"\0\x0f\0\x02\0\x03"]),
)  # fmt: skip
def test_a_kept_answer_is_fitted_to_its_asker_as_the_plain_one_is(records, name, rcode, payload, tcp, age, options):
    key = wire.name(name)
    plain = [Plain(section, key, rtype, 1, ttl, data) for section, rtype, ttl, data in sorted(records, key=lambda each: each[0])]
    answer = packed(rewriting.composed(key, plain, rcode))[0]
    edns = {} if payload is None else {"use_edns": 0, "payload": payload}
    packet = dns.message.make_query(name, "A", **edns).to_wire()
    told = resolved(1, Answer(answer, 60, Source.UPSTREAM, options=options))
    words = tuple(getattr(told, name) for name in told.__struct_fields__)[1:]
    kept = testing.kept(words, packet, age * 1000 + 999, tcp=tcp)
    assert kept == render(answer, wire.parse(packet), tcp, age=age, options=options)
