"""The same answer goes to one network outside so many times a second; who really asks gets on over TCP."""

from collections import Counter
from ipaddress import ip_address

import pytest

from haystack._fast.dns.rate_limit import RateLimit
from haystack._fast.dns.testing import outside, rate_limited
from haystack.net.rights import Right

SENT, TRUNCATED, NOTHING = range(3)
START = 1_000_000


def ip(text):
    return ip_address(text).packed


def test_a_burst_passes_and_then_every_second_answer_is_truncated_and_the_rest_dropped():
    limit = RateLimit()
    found = [rate_limited(limit, ip("192.0.2.7"), 1, START) for _ in range(160)]
    assert found == [SENT] * 60 + [NOTHING, TRUNCATED] * 50
    assert (limit.slipped, limit.dropped) == (50, 50)


def test_twenty_a_second_pass_for_ever():
    limit = RateLimit()
    found = Counter(rate_limited(limit, ip("192.0.2.7"), 1, START + 50 * n) for n in range(2000))
    assert found == {SENT: 2000}


def test_of_a_flood_twenty_a_second_pass():
    limit = RateLimit()
    found = Counter(rate_limited(limit, ip("192.0.2.7"), 1, START + n) for n in range(10_000))
    assert found[SENT] == 60 + 200 - 1


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.254", True), ("192.0.2.1", "192.0.3.1", False),
        ("2001:db8:0:1::1", "2001:db8:0:ff::1", True), ("2001:db8:0:1::1", "2001:db8:0:100::1", False),
    ],
)  # fmt: skip
def test_a_network_is_counted_as_one(one, other, same):
    limit = RateLimit()
    while rate_limited(limit, ip(one), 1, START) == SENT:
        pass
    assert (rate_limited(limit, ip(other), 1, START) == SENT) is not same
    assert rate_limited(limit, ip(one), 2, START) == SENT  # another answer


@pytest.mark.parametrize(
    ("address", "rights", "expected"),
    [
        ("127.0.0.1", Right.NEAR, False), ("172.17.0.5", 0, False), ("172.32.0.5", 0, True), ("10.1.2.3", 0, False), ("11.0.0.1", 0, True),
        ("192.168.0.1", 0, False), ("169.254.1.1", 0, False), ("192.0.2.1", Right.INSIDE | Right.RECURSION, True),
        ("192.0.2.1", Right.NEAR, False), ("fd00::1", 0, False), ("fe80::1", 0, False), ("2001:db8::1", 0, True),
    ],
)  # fmt: skip
def test_the_inside_is_never_limited(address, rights, expected):
    assert outside(ip(address), int(rights)) is expected
