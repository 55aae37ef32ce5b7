"""What the tests and the benchmarks start they end, also where it does not do what it should."""

from __future__ import annotations

import subprocess
import sys

import pytest

from bench.macro.process import Haystack as Bench
from tests.fakes import worker

SLEEPS = [sys.executable, "-c", "import time; time.sleep(600)"]


def test_one_that_does_not_end_as_a_test_expects_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "command", lambda: SLEEPS)
    monkeypatch.setattr(worker, "START_LIMIT", 0.1)
    made = worker.Haystack([])
    with pytest.raises(subprocess.TimeoutExpired):
        made.killed()
    assert made.process.poll() is not None


def test_one_that_never_gets_ready_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker, "command", lambda: SLEEPS)
    monkeypatch.setattr(worker, "START_LIMIT", 0.1)
    made = worker.Haystack([])
    monkeypatch.setattr(made, "wait", lambda _: made._find("ready") or pytest.fail("no"))
    with pytest.raises(pytest.fail.Exception):
        made.ready()
    assert made.process.poll() is not None


def test_what_a_test_has_lost_is_told_at_the_end_and_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    lost, over = subprocess.Popen(SLEEPS), subprocess.Popen([sys.executable, "-c", ""])
    over.wait()
    monkeypatch.setattr(worker, "STARTED", [lost, over])
    assert worker.left() == [f"{lost.pid}: {SLEEPS}"]
    assert lost.poll() is not None


def test_one_that_can_not_be_replaced_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """It served on after the benchmark, or the test of faults, and held its ports."""
    made = Bench()
    made.process = old = subprocess.Popen(SLEEPS)

    def fails(*_: str) -> None:
        made.process = None
        raise RuntimeError("it did not start")

    monkeypatch.setattr(made, "_run", fails)
    with pytest.raises(RuntimeError, match="did not start"):
        made.replace()
    assert old.poll() is not None
    made.stop()
