"""Of several Haystacks with one state folder, one has the lease."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading

import pytest

from haystack.tls.acme.lease import BEAT, SECONDS, Lease

START = 1000.0


class Clock:
    now = START

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def lease(tmp_path, clock):
    """A maker of leases of one file; all that are held at the end are released."""
    made = []

    def make(name, here="m", steady=clock):
        made.append(Lease(tmp_path / "folder" / "lease", name, clock, here, steady))
        return made[-1]

    yield make
    for each in made:
        each.release()


def dies(lease):
    """As when its process ends: the kernel drops the lock, and the file stays."""
    os.close(lease._fd)
    lease._fd = -1


def test_one_has_it_until_it_lets_go(lease):
    one, two = lease("one"), lease("two")
    assert (one.take(), two.take(), one.take()) == (True, False, True)
    one.release()
    assert (two.take(), one.take()) == (True, False)


def test_one_that_has_let_go_never_has_it_again_though_it_was_just_taking_it(lease, monkeypatch):
    one, two = lease("one"), lease("two")
    begun, go_on, may = threading.Event(), threading.Event(), one._may

    def slow(fd):
        begun.set()
        assert go_on.wait(10)
        return may(fd)

    monkeypatch.setattr(one, "_may", slow)
    taking, letting = threading.Thread(target=one.take), threading.Thread(target=one.release)
    taking.start()
    assert begun.wait(10)
    letting.start()
    letting.join(0.2)  # one that does not wait for the other is done by then
    go_on.set()
    taking.join()
    letting.join()
    assert not one.held
    assert not one.take()
    assert two.take()


def test_one_that_died_on_this_machine_is_followed_at_once(lease):
    one, two = lease("one"), lease("two")
    one.take()
    dies(one)
    assert two.take()


def test_one_that_died_elsewhere_is_followed_when_its_time_is_over(lease, clock):
    one, two = lease("one"), lease("two", here="other")
    one.take()
    dies(one)
    clock.now += SECONDS - 1
    assert not two.take()
    clock.now += 2
    assert two.take()


def test_one_that_died_by_a_clock_that_was_ahead_is_followed_when_its_heartbeats_have_ceased(lease, clock):
    """As where a machine has started anew with the right time: the file would be somebody's for as long as the clock was wrong."""
    steady = Clock()
    clock.now += 86400
    one = lease("one")
    one.take()
    dies(one)
    clock.now -= 86400
    two = lease("two", "started anew", steady)
    assert not two.take()
    steady.now += SECONDS - 1
    assert not two.take()
    steady.now += 2
    assert two.take()


def test_one_whose_clock_is_ahead_keeps_it_by_its_heartbeats(lease, clock, monkeypatch):
    monkeypatch.setattr(fcntl, "flock", lambda *_: (_ for _ in ()).throw(OSError(95, "Operation not supported")))
    one, two = lease("one"), lease("two", "other")
    for _ in range(10):
        clock.now += 86400 + BEAT
        assert one.take()
        clock.now -= 86400
        assert not two.take()


def test_a_heartbeat_keeps_it_where_locks_are_not_shared(lease, clock, monkeypatch):
    monkeypatch.setattr(fcntl, "flock", lambda *_: (_ for _ in ()).throw(OSError(95, "Operation not supported")))
    one, two = lease("one"), lease("two", here="other")
    assert (one.take(), two.take()) == (True, False)
    for _ in range(5):
        clock.now += SECONDS / 2
        assert (one.take(), two.take()) == (True, False)
    clock.now += SECONDS + 1
    assert (two.take(), one.take()) == (True, False)
    assert not one.held


def test_one_whose_file_is_removed_has_it_no_more(lease, tmp_path):
    one = lease("one")
    one.take()
    (tmp_path / "folder" / "lease").unlink()
    assert one.take() is False
    assert one.take() is True


@pytest.mark.parametrize("content", [b"", b"{", b"\0" * 600, b'{"until": "x"}'])
def test_a_file_that_says_nothing_is_nobodys(lease, tmp_path, content):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "lease").write_bytes(content)
    assert lease("one").take()


def test_a_real_process_that_is_killed_is_followed(tmp_path):
    path = tmp_path / "lease"
    lines = ("from pathlib import Path", "from haystack.tls.acme.lease import Lease", f"lease = Lease(Path({str(path)!r}), 'x')")
    code = "\n".join((*lines, "print(lease.take(), flush=True)", "input()"))
    other = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert other.stdout
    assert other.stdin
    assert other.stdout.readline() == "True\n"
    mine = Lease(path, "mine")
    assert not mine.take()
    other.kill()
    other.wait()
    other.stdout.close()
    other.stdin.close()
    assert mine.take()
    mine.release()
