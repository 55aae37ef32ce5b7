"""Where a Haystack lives, so that it is known again when it is started again there; and who was replaced of late.

A restart policy starts a container again also when it has ended because another one replaced it. Pure, but for `home`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path

from haystack.discovery import own_place
from haystack.handover.protocol import Left

# A policy starts again within a minute of the end (Docker's longest pause), and the end comes when what was in flight has been finished.
LATELY = 300.0


def home(proc: Path = Path("/proc")) -> str:
    """The container that this process runs in; outside of any its control group, which for a service is the service."""
    if container := own_place.container_id(proc):
        return container
    try:
        return (proc / "self" / "cgroup").read_text().strip()
    except OSError:
        return ""


class Memory:
    """Who was replaced of late. own: the home of who remembers; clock: seconds, of one that only grows."""

    def __init__(self, own: str, clock: Callable[[], float] = time.monotonic) -> None:
        self.own = own
        self._clock = clock
        self._left: dict[str, float] = {}

    def heard(self, left: Iterable[Left]) -> None:
        """Learn what another one remembers."""
        for each in left:
            if each.home not in ("", self.own):
                self._left[each.home] = self._clock() - each.seconds

    def replaced(self, home: str) -> None:
        """This one has just replaced one that lived there. One that lived here has not left: a service was reloaded."""
        self.heard((Left(home, 0.0),))

    def lately(self, home: str) -> bool:
        """Whether one that lived there was replaced of late."""
        return any(each.home == home for each in self.told())

    def told(self) -> tuple[Left, ...]:
        """What another one has to know."""
        now = self._clock()
        return tuple(Left(home, now - at) for home, at in self._left.items() if now - at < LATELY)
