"""Which lines of haystack/ run in the tests: `python -m tests.coverage [pytest's arguments]`, for `make coverage`.

Without arguments it runs every test that needs no engine and can be traced. Then each place of three lines where nothing ran has
to have a reason in reasons.toml, and each reason a place: else the status is 1. With arguments, the places are left in a file, and no more.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from tests.coverage import report
from tests.coverage.measure import FOUND, ROOT, measure

WHERE = report.REASONS.relative_to(ROOT)
NO_REASON = f"NO REASON in {WHERE}"


def main(words: Sequence[str]) -> int:
    """Run, and tell. The status: pytest's, or 1 where a reason is missing or idle."""
    status = measure(words)
    found = report.findings()
    print("", *report.table(found), "", sep="\n")
    if not found.traced:
        print("no compiled line was traced: that needs the extensions of `make coverage`, and a Python before 3.13")
        status = status or 1
    every = FOUND.with_name("uncovered.txt")
    every.write_text("".join(f"{place} ({place.size})\n" for place in found.places), encoding="utf-8")
    print(f"{len(found.places)} places where nothing ran, {len(found.large)} of {report.LARGE} lines or more: {every.relative_to(ROOT)}")
    return status if words else max(status, _check(found))


def _check(found: report.Findings) -> int:
    """Print the large places with their reasons, and the reasons that are idle. 1: one is missing or idle."""
    why = report.reasons()
    told, idle = list(report.explained(found.large, why)), report.idle(found.places, why)
    for place, reason in told:
        print(f"  {place} ({place.size}): {reason or NO_REASON}")
    for each in idle:
        print(f"  {each}: it runs, or is there no more, and needs no reason in {WHERE}")
    missing = sum(not reason for _, reason in told)
    print(f"{missing} places without a reason, {len(idle)} reasons without a place")
    return int(bool(missing or idle))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
