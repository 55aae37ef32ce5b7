"""The file of the lines that one key's owner has typed: bounded, for one user alone, and never in the way."""

import os
import stat

import pytest

from haystack.console import history
from haystack.console.history import History

KEY = "SHA256:ab/cd+ef"


def test_the_lines_come_back_the_latest_last(tmp_path):
    History(tmp_path / "state", KEY).add(["one", "two"])
    History(tmp_path / "state", KEY).add(["three"])
    assert History(tmp_path / "state", KEY).load() == ["one", "two", "three"]
    assert History(tmp_path / "state", "SHA256:other").load() == []


def test_the_file_is_for_this_user_alone(tmp_path):
    before = os.umask(0)
    try:
        History(tmp_path, KEY).add(["one"])
    finally:
        os.umask(before)
    (file,) = (tmp_path / "history").iterdir()
    assert (stat.S_IMODE(file.stat().st_mode), stat.S_IMODE(file.parent.stat().st_mode)) == (0o600, 0o700)


def test_a_long_history_loses_its_first_lines_and_no_part_of_one(tmp_path, monkeypatch):
    monkeypatch.setattr(history, "SIZE", 1000)
    mine = History(tmp_path, KEY)
    for number in range(500):
        mine.add([f"line {number}"])
    found = mine.load()
    assert found == [f"line {number}" for number in range(500 - len(found), 500)]
    assert 40 < len(found) < 130
    assert [path.name for path in (tmp_path / "history").iterdir()] == ["SHA256-ab_cd-ef"]


def test_no_more_than_a_thousand_lines_are_shown(tmp_path):
    mine = History(tmp_path, KEY)
    mine.add([str(number) for number in range(3000)])
    assert mine.load() == [str(number) for number in range(2000, 3000)]


def test_the_oldest_files_make_room_for_new_ones(tmp_path, monkeypatch):
    monkeypatch.setattr(history, "FILES", 3)
    for number in range(6):
        History(tmp_path, f"SHA256:{number}").add(["x"])
        os.utime(tmp_path / "history" / f"SHA256-{number}", (number, number))
    assert sorted(path.name for path in (tmp_path / "history").iterdir()) == ["SHA256-3", "SHA256-4", "SHA256-5"]


def test_a_link_in_its_place_is_not_followed(tmp_path):
    (tmp_path / "history").mkdir()
    (tmp_path / "history" / "SHA256-ab_cd-ef").symlink_to(tmp_path / "passwd")
    with pytest.raises(OSError):
        History(tmp_path, KEY).add(["one"])
    assert not (tmp_path / "passwd").exists()


async def test_lines_are_written_in_their_order_and_what_is_none_is_not(tmp_path):
    mine = History(tmp_path, KEY)
    for line in ("one", "", "   ", "two\nlines", "x" * 5000, "three"):
        mine.keep(line)
    await mine.written()
    assert mine.load() == ["one", "two lines", "three"]


async def test_a_folder_that_cannot_be_written_costs_the_history_alone(tmp_path):
    (tmp_path / "file").write_text("")
    mine = History(tmp_path / "file", KEY)
    mine.keep("one")
    await mine.written()
    assert mine.load() == []
