"""Who is taken for dead: a worker at which the supervisor has looked in vain often enough, and nobody else."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest

from haystack.proxy.heartbeat import LOOK, SILENT, SILENT_AT_START, Pulse, starved, state_of


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


def test_the_time_for_which_others_had_its_cpu_does_not_count() -> None:
    """It runs for a tenth of the time: so it is given ten times as long, and no longer."""
    pulse = Pulse()
    found = [pulse.stopped(starting=False, starved=0.9 * LOOK * look) for look in range(1, 12 * SILENT)]
    assert 9 * SILENT < found.index(True) < 11 * SILENT


def test_one_that_waits_for_nothing_more_has_no_longer_for_what_it_waited_before() -> None:
    pulse = Pulse()
    assert not pulse.stopped(starting=False, starved=3600.0)
    pulse.beat()
    assert [pulse.stopped(starting=False, starved=3600.0) for _ in range(SILENT)] == [False] * (SILENT - 1) + [True]


def test_the_kernel_tells_for_how_long_a_process_has_waited_for_a_cpu() -> None:
    """Two that are busy on one CPU wait for each other."""
    code = "import os, time; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))}); end = time.monotonic() + 15\n"
    code += "while time.monotonic() < end: pass"
    both = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(2)]
    try:
        deadline = time.monotonic() + 10
        while not all(starved(process.pid) > 0.1 for process in both):
            assert time.monotonic() < deadline
            time.sleep(0.01)
    finally:
        for process in both:
            process.kill()
            process.wait()
    assert starved(2**22 + 1) == 0.0
