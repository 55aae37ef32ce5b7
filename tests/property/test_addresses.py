"""Addresses of clients as text, against Python's."""

import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from haystack._fast.testing import ip4_text


@given(st.binary(min_size=4, max_size=4))
def test_an_ipv4_address_is_written_as_python_writes_it(octets):
    assert ip4_text(octets).decode() == str(ipaddress.IPv4Address(octets))


def test_each_number_is():
    for number in range(256):
        assert ip4_text(bytes([number, 1, 255 - number, number])) == b"%d.1.%d.%d" % (number, 255 - number, number)
