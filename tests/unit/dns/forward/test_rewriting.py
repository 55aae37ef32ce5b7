"""Answers without foreign words about our names, and with our own records behind an alias, by themselves."""

import dns.message
import dns.rcode
import pytest
from hypothesis import given
from hypothesis import strategies as st

from haystack.dns import wire
from haystack.dns.forward import message, rewriting
from tests.oracles.dns_answer import render
from tests.unit.dns.forward.client import parsed
from tests.unit.dns.nameserver import says

OURS = wire.name("haystack")


def holds(name):
    return OURS in wire.parents(name)


def own(*records, name="www.example.com", rdtype="A", **more):
    query = dns.message.make_query(name, rdtype)
    reply = message.read(says(*records, **more)(query, False).to_wire(), wire.parse(query.to_wire()).question)
    found = rewriting.own(reply, wire.name(name), query.question[0].rdtype, holds)
    return shown(message.packed(found.reply)[0], name, rdtype), found.leads


def shown(packed, name="www.example.com", rdtype="A"):
    return dns.message.from_wire(render(packed, parsed(name, rdtype), tcp=True))


def texts(section):
    return [rrset.to_text() for rrset in section]


def test_what_says_nothing_of_ours_stays_as_it_is():
    message, leads = own("60 CNAME other.example.", "other.example. 60 A 192.0.2.1")
    assert (len(message.answer), leads) == (2, b"")


def test_what_is_said_of_ours_is_dropped_and_the_rest_still_points_where_it_did():
    message, leads = own(
        "60 MX 10 nginx.services.haystack.",
        "nginx.services.haystack. 60 A 203.0.113.66",
        "60 MX 20 mail.www.example.com.",
        "mail.www.example.com. 60 A 192.0.2.1",
        authority=["example.com. 60 NS nginx.services.haystack.", "haystack. 60 NS evil.example."],
        rdtype="MX",
    )
    assert leads == b""
    assert texts(message.answer) == [
        "www.example.com. 60 IN MX 10 nginx.services.haystack.\nwww.example.com. 60 IN MX 20 mail.www.example.com.",
        "mail.www.example.com. 60 IN A 192.0.2.1",
    ]
    assert texts(message.authority) == ["example.com. 60 IN NS nginx.services.haystack."]


def test_aliases_that_lead_to_a_name_of_ours_are_kept_and_nothing_behind_them():
    message, leads = own(
        "60 CNAME alias.example.",
        "alias.example. 50 CNAME Nginx.Services.haystack.",
        "nginx.services.haystack. 60 CNAME evil.example.",
        "evil.example. 60 A 203.0.113.66",
        authority=["example.com. 60 NS ns.example."],
    )
    assert leads == wire.name("nginx.services.haystack")
    assert texts(message.answer) == ["www.example.com. 60 IN CNAME alias.example.", "alias.example. 50 IN CNAME Nginx.Services.haystack."]
    assert message.authority == []


@pytest.mark.parametrize("rdtype", ["CNAME", "ANY"])
def test_who_asks_for_the_alias_itself_is_not_led_on(rdtype):
    assert own("60 CNAME nginx.services.haystack.", rdtype=rdtype)[1] == b""


def test_aliases_in_a_circle_end():
    assert own("60 CNAME b.example.", "b.example. 60 CNAME www.example.com.")[1] == b""


def test_a_chain_is_followed_only_so_far():
    def chain(length):
        names = ["www.example.com.", *(f"{n}.example." for n in range(length - 1)), "nginx.services.haystack."]
        return [f"{name} 60 CNAME {names[n + 1]}" for n, name in enumerate(names[:-1])]

    assert own(*chain(rewriting.HOPS))[1]
    assert own(*chain(rewriting.HOPS + 1))[1] == b""


def joined(chain, ours):
    query = dns.message.make_query("www.example.com", "A")
    reply = message.read(chain(query, False).to_wire(), wire.parse(query.to_wire()).question)
    about = dns.message.make_query("nginx.services.haystack", "A")
    second = message.read(ours(about, False).to_wire(), wire.parse(about.to_wire()).question)
    names = wire.name("www.example.com"), wire.name("nginx.services.haystack")
    return shown(rewriting.joined(message.packed(reply)[0], *names, message.packed(second)[0]))


CHAIN = says("60 CNAME nginx.services.haystack.")


def test_our_records_come_behind_the_aliases():
    found = joined(CHAIN, says("5 A 172.17.0.2", "5 A 172.17.0.3"))
    assert texts(found.answer) == [
        "www.example.com. 60 IN CNAME nginx.services.haystack.",
        "nginx.services.haystack. 5 IN A 172.17.0.2\nnginx.services.haystack. 5 IN A 172.17.0.3",
    ]


def test_what_we_do_not_have_is_said_by_our_soa():
    found = joined(CHAIN, says(rcode=dns.rcode.NXDOMAIN, authority=["haystack. 5 SOA ns.haystack. host.haystack. 1 2 3 4 5"]))
    assert (found.rcode(), len(found.answer)) == (dns.rcode.NXDOMAIN, 1)
    assert found.authority[0].to_text().startswith("haystack. 5 IN SOA ns.haystack.")


def test_four_thousand_records_are_as_many_as_a_message_holds():
    found = joined(CHAIN, says(*(f"5 A 10.{n >> 8}.{n & 255}.1" for n in range(4092))))
    assert 4080 < len(found.answer[1]) < 4092


@given(st.binary(max_size=60), st.sampled_from([2, 5, 6, 12, 15, 33, 39, 1, 99]))
def test_any_data_of_a_record_is_written_out_or_refused(data, rtype):
    key = wire.name("www.example.com")
    body = b"\xc0\x0c" + rtype.to_bytes(2, "big") + b"\0\1\0\0\0\x3c" + len(data).to_bytes(2, "big") + data
    packed = wire.Packed(wire.RA, body, (len(body),), (1, 0, 0), (6,))
    try:
        reply = rewriting.unpacked(packed, key)
        plain = rewriting.plain(reply.data, reply.records[0])
    except wire.FormatError:
        return
    made = message.packed(rewriting.composed(key, [plain], 0))[0]
    assert rewriting.plain(rewriting.unpacked(made, key).data, rewriting.unpacked(made, key).records[0]) == plain
