"""What `make coverage` tells (tests/coverage): which lines can run, the places where none did, and whether their reasons are about any."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from haystack.proxy import sandbox
from tests.coverage import __main__ as main
from tests.coverage import compiled, report
from tests.coverage.places import MODULE, Place, uncovered, where

ROOT = Path(__file__).parents[2]
PYTHON = """\
import os

class Door:
    def open(
        self, key
    ):
        if key:
            turn()
            pull()

        return True

    async def close(self):
        push()
DONE = 1
""".splitlines()
CYTHON = """\
cdef class Door:
    cdef int open(self, int key) except -1:
        return 0

cdef inline const char *name(Door *door) noexcept nogil:
    return door.name
def turns(int often=1):
    pass
""".splitlines()
C = """\
  /* "haystack/_fast/util/digits.pyx":7
 * cdef int f():
 *     return 0             # <<<<<<<<<<<<<<
 */
  __Pyx_TraceLine(7,127,1,__PYX_ERR(0, 7, __pyx_L1_error))
  /* "haystack/_fast/util/buffer.pxd":30
 */
  if (x) {
    __Pyx_TraceLine(30,127,0,__PYX_ERR(1, 30, __pyx_L1_error))
    __Pyx_TraceLine(31,127,0,__PYX_ERR(1, 31, __pyx_L1_error))
  /* "cfunc.to_py":66
 */
  __Pyx_TraceLine(66,1,0,__PYX_ERR(1, 66, __pyx_L1_error))
"""


@pytest.mark.parametrize(
    ("text", "number", "name"),
    [
        (PYTHON, 1, MODULE),
        (PYTHON, 4, "Door"),
        (PYTHON, 8, "Door.open"),
        (PYTHON, 11, "Door.open"),
        (PYTHON, 14, "Door.close"),
        (PYTHON, 15, MODULE),
        (CYTHON, 3, "Door.open"),
        (CYTHON, 6, "name"),
        (CYTHON, 8, "turns"),
    ],
)
def test_a_place_is_named_by_the_function_that_it_is_in(text, number, name):
    assert where(text, number) == name


def test_a_place_goes_on_until_a_line_that_ran_or_another_function():
    could = {1, 3, 4, 7, 8, 9, 11, 13, 14, 15}
    found = list(uncovered("x.py", PYTHON, could, did={1, 3, 4, 7, 13, 15}))
    assert found == [Place("x.py", "Door.open", 8, 11, 3), Place("x.py", "Door.close", 14, 14, 1)]
    assert [str(each) for each in found] == ["x.py:8-11 Door.open", "x.py:14 Door.close"]
    assert list(uncovered("x.py", PYTHON, could, did=could)) == []


def test_compiled_lines_are_those_that_tell_a_tracer():
    assert compiled.executable(C.splitlines()) == {
        "haystack/_fast/util/digits.pyx": {7},
        "haystack/_fast/util/buffer.pxd": {30, 31},
        "cfunc.to_py": {66},
    }


def test_those_of_cython_itself_are_left_out_and_those_of_several_modules_are_added_up(tmp_path):
    (tmp_path / "a.c").write_text(C)
    (tmp_path / "b.c").write_text(C.replace("TraceLine(31,", "TraceLine(32,"))
    assert compiled.lines(tmp_path) == {"haystack/_fast/util/digits.pyx": {7}, "haystack/_fast/util/buffer.pxd": {30, 31, 32}}


@pytest.mark.parametrize(
    ("file", "room"),
    [
        ("haystack/app.py", "haystack/*"),
        ("haystack/dns/zone.py", "haystack/dns/"),
        ("haystack/discovery/docker/tls.py", "haystack/discovery/"),
        ("haystack/_fast/net/tcp.pyx", "haystack/_fast/net/"),
        ("haystack/_fast/__init__.py", "haystack/_fast/*"),
    ],
)
def test_a_file_is_in_a_room(file, room):
    assert report.room(file) == room


def test_a_place_has_its_reason_and_a_reason_needs_a_place():
    places = [Place("a.py", "f", 1, 3, 3), Place("a.py", "g", 5, 9, 4), Place("b.py", "f", 1, 3, 3)]
    why = {"a.py": {"f": "no engine does it", "h": "x"}, "c.py": {"f": "y"}}
    assert [reason for _, reason in report.explained(places, why)] == ["no engine does it", "", ""]
    assert report.idle(places, why) == ["a.py h", "c.py f"]


@pytest.mark.parametrize(
    ("why", "status", "told"),
    [
        ({"a.py": {"f": "no engine does it"}}, 0, "a.py:1-3 f (3): no engine does it"),
        ({}, 1, "a.py:1-3 f (3): NO REASON"),
        ({"a.py": {"f": "no engine does it", "g": "x"}}, 0, "0 reasons without a place"),
        ({"a.py": {"f": "no engine does it", "h": "x"}}, 1, "a.py h: it runs, or is there no more"),
    ],
)
def test_a_run_of_everything_fails_where_a_reason_is_missing_or_idle(why, status, told, monkeypatch, capsys):
    monkeypatch.setattr(report, "reasons", lambda: why)
    found = report.Findings(places=[Place("a.py", "f", 1, 3, 3), Place("a.py", "g", 9, 9, 1)])
    assert main._check(found) == status
    assert told in capsys.readouterr().out


def test_a_table_has_a_row_a_room_and_two_sums():
    found = report.Findings()
    found.could.update({"haystack/dns/": 200, "haystack/net/": 100, "haystack/_fast/net/": 10})
    found.did.update({"haystack/dns/": 100, "haystack/net/": 50})
    assert [line.rsplit(maxsplit=3)[1:] for line in report.table(found)][1:] == [
        ["200", "100", "50.0"],
        ["100", "50", "50.0"],
        ["300", "150", "50.0"],
        ["10", "0", "0.0"],
        ["10", "0", "0.0"],
    ]
    assert not found.traced


def test_each_reason_is_about_a_function_that_there_is():
    for file, told in report.reasons().items():
        text = (ROOT / file).read_text().splitlines()
        assert told.keys() <= {where(text, number) for number in range(1, len(text) + 1)}
        assert all(why and not re.search(r"\b(todo|later)\b", why, re.IGNORECASE) for why in told.values())


def test_a_worker_is_told_that_it_is_measured():
    assert sandbox.environment({"COVERAGE_PROCESS_CONFIG": "x", "DOCKER_KEY": "y"}) == {"COVERAGE_PROCESS_CONFIG": "x"}
