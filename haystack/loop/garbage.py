"""Keeps what is known of containers out of the search for garbage: going through all of it takes 160 ms at 10,000 containers, each time.

Records hold no cycles: they go when nobody refers to them. Looks through none but the young itself.
"""

from __future__ import annotations

import gc

from haystack.model.snapshot import Snapshot

# Objects, and searches of each kind before the next larger one. A thousand objects with the garbage of clients of engines among them took
# 2 ms, and five thousand more than 5; what lives long is seldom looked through.
THRESHOLDS = 240, 2, 17_000
LEAST, SHARE = 200, 0.02  # containers that are new or other, and their part of all, before what is there now is set aside again


def seldom() -> None:
    """Look for garbage among what is young, a millisecond each time, and hardly ever among all there is."""
    gc.set_threshold(*THRESHOLDS)


class Garbage:
    """A subscriber of snapshots."""

    def __init__(self) -> None:
        self._version: int | None = None
        self._changed = 0

    def follow(self, snapshot: Snapshot) -> None:
        """Set aside what is there once much of it is new. A cycle that is set aside is never found: so not with each change."""
        change = snapshot.changed_since(self._version)
        self._changed += len(change.containers if change is not None else snapshot.containers)
        self._version = snapshot.version
        if self._changed > max(LEAST, SHARE * len(snapshot.containers)):
            self._changed = 0
            gc.collect(1)  # what is young and in a cycle goes now
            gc.freeze()
