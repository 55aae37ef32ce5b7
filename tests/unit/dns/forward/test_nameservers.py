"""Which nameservers are asked: never Haystack itself."""

import pytest

from haystack.dns.forward.nameservers import Nameserver, others, parse, resolv_conf, text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("9.9.9.9", ("9.9.9.9", 53)),
        ("9.9.9.9:5353", ("9.9.9.9", 5353)),
        ("2620:fe::fe", ("2620:fe::fe", 53)),
        ("[2620:fe::fe]:5353", ("2620:fe::fe", 5353)),
        ("[2620:fe::fe]", ("2620:fe::fe", 53)),
        ("dns.example", None),
        ("9.9.9.9:0", None),
        ("9.9.9.9:x", None),
        ("", None),
    ],
)
def test_a_nameserver_is_an_address_with_or_without_a_port(text, expected):
    assert parse(text) == (expected and Nameserver(*expected))


@pytest.mark.parametrize("written", ["9.9.9.9:53", "[2620:fe::fe]:5353"])
def test_a_nameserver_as_text_is_what_was_read(written):
    assert text(parse(written)) == written


def test_resolv_conf_is_read_as_far_as_it_can_be(tmp_path):
    path = tmp_path / "resolv.conf"
    path.write_text("# search\nnameserver 198.51.100.1\nnameserver 198.51.100.1\nnameserver\nnameserver odd\nnameserver 198.51.100.2\n")
    assert others(resolv_conf(path), (), 53) == (Nameserver("198.51.100.1"), Nameserver("198.51.100.2"))
    assert resolv_conf(tmp_path / "absent") == ()


def test_haystack_is_no_nameserver_of_its_own():
    assert others(("127.0.0.1", "127.0.0.53", "198.51.100.1"), (), 53) == (Nameserver("198.51.100.1"),)
    assert others(("127.0.0.1",), ("0.0.0.0", "::"), 53) == ()
    assert others(("127.0.0.1",), ("127.0.0.1",), 53) == ()


def test_a_neighbour_on_this_machine_is_a_nameserver():
    assert others(("127.0.0.1",), (), 5300) == (Nameserver("127.0.0.1"),)
    assert others(("127.0.0.53",), ("172.17.0.1",), 53) == (Nameserver("127.0.0.53"),)
    assert others(("127.0.0.11",), (), 53) == (Nameserver("127.0.0.11"),)
