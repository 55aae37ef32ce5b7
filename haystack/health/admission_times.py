"""When a new endpoint is looked at again, and when it has kept everybody waiting for too long. Pure."""

from __future__ import annotations

PATIENCE = 10.0  # seconds for which requests wait for a service rather than being refused; then its endpoints are in, for better or worse
SHORTEST, LONGEST = 0.005, 5.0  # seconds between two looks
SHARE = 0.05  # of the time that it has taken so far: being noticed late costs a start no more than this
A_SECOND = 500  # looks at all endpoints together, so that thousands that never listen cost little


def pause(waited: float, waiting: int) -> float:
    """Seconds until the next look at an endpoint that has been waited for so long, one of so many that are."""
    return max(SHORTEST, min(waited * SHARE, LONGEST), min(waiting / A_SECOND, LONGEST) if waited > 1 else 0.0)


def overdue(waited: float) -> bool:
    """Whether an endpoint counts as broken rather than as starting."""
    return waited >= PATIENCE
