"""Which nameservers are asked: never Haystack itself."""

import pytest

from haystack.dns.upstreams import Nameserver, chosen, parse


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
def test_parse(text, expected):
    assert parse(text) == (expected and Nameserver(*expected))


def test_resolv_conf_is_read_where_nothing_is_set(tmp_path):
    path = tmp_path / "resolv.conf"
    path.write_text("# search\nnameserver 198.51.100.1\nnameserver 198.51.100.1\nnameserver\nnameserver odd\nnameserver 198.51.100.2\n")
    assert chosen((), (), 53, path) == (Nameserver("198.51.100.1"), Nameserver("198.51.100.2"))
    assert chosen(("198.51.100.9",), (), 53, path) == (Nameserver("198.51.100.9"),)
    assert chosen((), (), 53, tmp_path / "absent") == ()


def test_haystack_is_no_nameserver_of_its_own():
    assert chosen(("127.0.0.1", "127.0.0.53", "198.51.100.1"), (), 53) == (Nameserver("198.51.100.1"),)
    assert chosen(("127.0.0.1",), ("0.0.0.0", "::"), 53) == ()
    assert chosen(("127.0.0.1",), ("127.0.0.1",), 53) == ()


def test_a_neighbour_on_this_machine_is_a_nameserver():
    assert chosen(("127.0.0.1",), (), 5300) == (Nameserver("127.0.0.1"),)
    assert chosen(("127.0.0.53",), ("172.17.0.1",), 53) == (Nameserver("127.0.0.53"),)
    assert chosen(("127.0.0.11",), (), 53) == (Nameserver("127.0.0.11"),)
