"""Cells, members and routes: their addresses, counters and weights."""

from __future__ import annotations

import pytest

from haystack._fast.balance import pickers
from haystack._fast.endpoint.endpoint import Endpoint, Member


@pytest.mark.parametrize(
    ("address", "label"),
    [(("10.0.0.1", 80), "10.0.0.1:80"), (("fe80::1", 8080), "[fe80::1]:8080"), ("/run/x.sock", "/run/x.sock")],
)
def test_a_cell_is_shown_by_its_address(address, label):
    endpoint = Endpoint("key", address)
    assert (endpoint.key, endpoint.label, endpoint.address) == ("key", label, address)
    assert (endpoint.in_flight, endpoint.pooled, endpoint.gone) == (0, 0, False)


@pytest.mark.parametrize("address", [("web", 80), ("10.0.0.256", 80), ("", 80), ("::x", 80), "", "/" * 108])
def test_what_is_no_address_makes_no_cell(address):
    with pytest.raises(ValueError, match=r"address|socket"):
        Endpoint("key", address)


def test_a_new_member_has_nothing_to_report():
    member = Member(Endpoint("a", ("10.0.0.1", 80)), "web", 80)
    assert (member.take_new(), member.requests) == (0, 0)


def test_a_picker_needs_a_weight_for_each_member():
    with pytest.raises(ValueError, match="1 members can't have 0 weights"):
        pickers.make("random", [Member(Endpoint("a", ("10.0.0.1", 80)), "web", 80)], [])
