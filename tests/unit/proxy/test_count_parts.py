"""Long reports of workers come in parts that lose nothing."""

import pytest

from haystack.proxy.count_parts import PART, parts
from haystack.proxy.ipc import Counts


@pytest.mark.parametrize(
    ("members", "requests"), [(0, 0), (1, 1), (0, PART + 1), (PART, PART), (3 * PART + 7, 3 * PART + 7), (PART + 1, 5)]
)
def test_a_long_report_comes_in_parts_each_member_before_its_count(members, requests):
    rows = tuple((n + 1, 2) for n in range(requests))
    told = tuple(("s", 80, f"e{n}", "10.0.0.1", n) for n in range(members))
    whole = Counts(7, rows, 9, (1, 2), 3, told, (("x", 503, 1),), (4,))
    found = list(parts(whole))
    assert [part.number for part in found] == [0] * (len(found) - 1) + [7]
    assert sum((part.requests for part in found), ()) == rows
    assert sum((part.members for part in found), ()) == told
    assert sum((part.errors for part in found), ()) == whole.errors
    assert sum((part.gone for part in found), ()) == whole.gone
    assert max(len(part.requests) for part in found) <= PART
    known = 0
    for part in found:
        known += len(part.members)
        assert len(part.members) <= PART
        assert all(member <= known for member, _ in part.requests) or requests > members
    assert len(found) == 1 or requests > PART or members > PART
