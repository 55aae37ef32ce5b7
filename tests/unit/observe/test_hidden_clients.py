"""When it is told that Docker hides who asks."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from haystack.model.records import Problem
from haystack.observe.hidden_clients import MANY, Hidden


def worker(hidden: int, outside: int = 0) -> SimpleNamespace:
    return SimpleNamespace(hidden=hidden, outside=outside, gateway="172.17.0.1" if hidden else "")


@pytest.mark.parametrize(
    ("counts", "told"),
    [
        ([(0, 0)], 0),
        ([(MANY - 1, 0)], 0),
        ([(MANY, 0)], 1),
        ([(MANY // 2, 0), (0, 0), (MANY - MANY // 2, 0)], 1),
        ([(MANY, 0), (0, 1)], 0),
    ],
)
def test_many_from_a_gateway_and_none_from_elsewhere(counts: list[tuple[int, int]], told: int) -> None:
    problems: list[Problem] = []
    hidden = Hidden(problems.append)
    for _ in range(2):
        hidden.look([worker(*each) for each in counts])
    assert ["172.17.0.1" in problem.message for problem in problems] == [True] * told
    assert all("userland proxy" in problem.message and "routing mesh" in problem.message for problem in problems)
