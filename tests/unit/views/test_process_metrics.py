"""What /proc tells of processes: of ours, and of made-up ones."""

import os
import time

import pytest

from haystack.views.process_metrics import families, read

STAT = "7 (a) b (c)) S " + " ".join(["0"] * 10 + ["250", "50"] + ["0"] * 6 + ["1000", "4096000", "25"] + ["0"] * 20)

LIMITS = """Limit                     Soft Limit           Hard Limit           Units
Max cpu time              unlimited            unlimited            seconds
Max open files            1024                 524288               files
"""


@pytest.fixture
def proc(tmp_path):
    (tmp_path / "stat").write_text("cpu 1 2 3\nbtime 1000\nprocesses 5\n")
    (tmp_path / "7" / "fd").mkdir(parents=True)
    for n in range(3):
        (tmp_path / "7" / "fd" / str(n)).touch()
    (tmp_path / "7" / "stat").write_text(STAT)
    (tmp_path / "7" / "limits").write_text(LIMITS)
    return tmp_path


def test_a_name_with_brackets_moves_no_field(proc):
    found = read(7, proc)
    tick = os.sysconf("SC_CLK_TCK")
    assert (found.cpu, found.virtual, found.started) == (300 / tick, 4096000, 1000 + 1000 / tick)
    assert found.resident == 25 * os.sysconf("SC_PAGE_SIZE")


def test_the_limit_of_files_is_the_one_that_counts(proc):
    assert read(7, proc).limit == 1024


@pytest.mark.parametrize("text", ["", LIMITS.replace("1024  ", "unlimited")])
def test_without_a_limit_there_is_no_figure(proc, text):
    (proc / "7" / "limits").write_text(text)
    assert read(7, proc).limit is None
    assert [family.samples for family in families([("x", 7)], proc) if family.name == "process_max_fds"] == [[]]


def test_who_has_gone_is_left_out(proc):
    assert read(8, proc) is None
    told = {family.name: [sample.labels["process"] for sample in family.samples] for family in families([("x", 7), ("y", 8)], proc)}
    assert set(map(tuple, told.values())) == {("x",)}


def test_this_process_is_told_as_it_is():
    found = read(os.getpid())
    assert abs(found.cpu - time.process_time()) < 5
    assert 0 < found.started <= time.time() + 1
    assert found.descriptors >= 3
