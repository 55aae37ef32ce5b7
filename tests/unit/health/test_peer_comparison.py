"""Whether an endpoint's failures are its own fault: what the comparison says at its edges."""

import pytest

from haystack.health.peer_comparison import by_chance, stands_out
from tests.fakes.effort import instructions


@pytest.mark.parametrize(("peers", "failures"), [(1, 12), (2, 9), (4, 7), (9, 5)])
def test_so_many_failures_in_a_row_are_needed_beside_peers_that_are_asked_as_often(peers: int, failures: int) -> None:
    """And one more, which begins the comparison and is not counted (docs/health.md)."""
    assert stands_out((failures, failures), (peers * failures, 0))
    assert not stands_out((failures - 1, failures - 1), (peers * (failures - 1), 0))


def test_a_sum_whose_terms_are_too_small_for_a_float_ends_at_once() -> None:
    """Where the first term was 0.0, all the others were added, too: thousands of zeros, and millions with counts of millions."""
    own, others = (20_000, 10_000), (20_000, 4_000)
    assert by_chance(*own, *others) == 0.0
    assert instructions(lambda: stands_out(own, others)) < 500


@pytest.mark.parametrize(
    ("own", "others"),
    [
        ((5, 6), (100, 0)),
        ((20, 20), (3, -1)),
        ((20, 20), (-100, 0)),
        ((-1, 20), (100, 0)),
        ((20, -1), (100, 0)),
        ((20, 20), (5, 6)),
        ((0, 0), (0, 0)),
    ],
)
def test_counts_that_cannot_be_blame_nobody(own: tuple[int, int], others: tuple[int, int]) -> None:
    assert not stands_out(own, others)
