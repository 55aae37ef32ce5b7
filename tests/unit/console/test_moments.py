"""Moments as people write them: of today or the day before, with a date, or so long ago."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from haystack.console.moments import clock, dated, read

NOW = datetime(2026, 11, 30, 14, 30, 0, tzinfo=UTC).timestamp()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("14:02", "2026-11-30T14:02:00"),
        ("14:02:30", "2026-11-30T14:02:30"),
        ("14:02:30.25", "2026-11-30T14:02:30.250"),
        ("9:05", "2026-11-30T09:05:00"),
        ("14:31", "2026-11-29T14:31:00"),
        ("23:59", "2026-11-29T23:59:00"),
        ("2026-11-30T14:02Z", "2026-11-30T14:02:00"),
        ("2026-11-30T15:02+01:00", "2026-11-30T14:02:00"),
        ("2026-11-30 14:02:11", "2026-11-30T14:02:11"),
        ("2026-11-29", "2026-11-29T00:00:00"),
        ("10m", "2026-11-30T14:20:00"),
        ("1h30m ago", "2026-11-30T13:00:00"),
        ("90", "2026-11-30T14:28:30"),
    ],
)
def test_a_moment(text: str, found: str) -> None:
    assert read(text, NOW) == datetime.fromisoformat(found + "+00:00").timestamp()


@pytest.mark.parametrize(
    "text", ["", "24:00", "14:60", "noon", "2026-13-01", "-5m", "14:02:61", "now", "\x1b[2J", "9" * 400, "\u0663:\u0660\u0660"]
)
def test_what_is_no_moment_says_what_is_one(text: str) -> None:
    with pytest.raises(ValueError, match="not a time, such as 14:02"):
        read(text, NOW)


def test_the_future_can_not_be_told() -> None:
    with pytest.raises(ValueError, match="in the future"):
        read("2026-11-30T14:31Z", NOW)


def test_how_it_is_shown() -> None:
    assert clock(NOW + 0.0235) == "14:30:00.023"
    assert dated(NOW) == "2026-11-30 14:30:00.000"


def test_what_no_calendar_has_is_no_moment_and_can_be_shown() -> None:
    for text in ("999999999d", "0001-01-01T00:00+14:00", "1969-12-31"):
        with pytest.raises(ValueError, match="before 1970"):
            read(text, NOW)
    assert dated(1e18).startswith("9999-12-31 23:59")
    assert clock(1e18).startswith("23:59")
