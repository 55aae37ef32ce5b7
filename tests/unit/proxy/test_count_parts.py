"""Long reports of workers come in parts that lose nothing."""

import pytest

from haystack.proxy.count_parts import LISTS, PART, parts
from haystack.proxy.ipc import Counts

TALLY = ((0, 0, 1, 0, 0, 0), 0, 0, 0, 1, (5, 1))


@pytest.mark.parametrize(
    ("members", "requests", "services"),
    [
        (0, 0, 0),
        (1, 1, 1),
        (0, PART + 1, 0),
        (PART, PART, PART),
        (3 * PART + 7, 3 * PART + 7, 2),
        (PART + 1, 5, 3 * PART),
        (PART - 1, PART + 1, 1),
    ],
)
def test_a_long_report_comes_in_parts_each_member_before_its_count(members, requests, services):
    rows = tuple((n + 1, 2) for n in range(requests))
    whole = Counts(
        7, rows, 9, (1, 2), 3, tuple(("s", 80, f"e{n}", "10.0.0.1", n) for n in range(members)), (("x", 503, 1),), (4,),
        ended=tuple((n + 1, TALLY) for n in range(requests)), services=tuple((f"s{n}", None, (1, 1), 0, 0, 0, 0) for n in range(services)),
        loads=tuple((f"e{n}", 1, 0) for n in range(services)), handshakes=((0, 1, 5),),
    )  # fmt: skip
    found = list(parts(whole))
    assert [part.number for part in found] == [0] * (len(found) - 1) + [7]
    for name in (*LISTS, "errors", "gone", "handshakes"):
        assert sum((getattr(part, name) for part in found), ()) == getattr(whole, name)
    assert max(len(getattr(part, name)) for part in found for name in LISTS) <= PART
    known = 0
    for part in found:
        known += len(part.members)
        assert all(member <= known for member, _ in (*part.requests, *part.ended)) or requests > members
    assert len(found) == 1 or max(members, requests, services) > PART
