"""Who is taken for dead: a worker at which the supervisor has looked in vain often enough, and nobody else."""

from __future__ import annotations

import os

import pytest

from haystack.proxy.pulse import SILENT, SILENT_AT_START, Pulse, state_of


@pytest.mark.parametrize(("starting", "looks"), [(False, SILENT), (True, SILENT_AT_START)])
def test_a_worker_that_says_nothing_is_given_up_after_so_many_looks(starting: bool, looks: int) -> None:
    pulse = Pulse()
    assert [pulse.stopped(starting=starting) for _ in range(looks)] == [False] * (looks - 1) + [True]


def test_one_that_says_something_now_and_then_is_not() -> None:
    pulse = Pulse()
    for _ in range(10):
        assert not any(pulse.stopped(starting=False) for _ in range(SILENT - 1))
        pulse.beat()


def test_the_kernel_tells_of_a_process_and_nothing_of_one_that_has_gone() -> None:
    assert state_of(os.getpid())["state"] == "R"
    assert state_of(2**22 + 1) == {}
