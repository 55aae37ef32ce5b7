"""Problems of a snapshot in the log: each once, when it is new. Reads snapshots alone."""

from __future__ import annotations

from haystack.loop.turns import Turns
from haystack.model.snapshot import Snapshot
from haystack.observe.bursts import Crowd


def tell_problems(new: Snapshot, old: Snapshot, crowd: Crowd) -> Turns[None]:
    """Log the problems that are new in this snapshot. Unchanged problems are the same objects, and are skipped."""
    if new.problems is old.problems:
        return
    before, after = set(map(id, old.problems)), set(map(id, new.problems))
    yield
    known = {found for found in old.problems if id(found) not in after}
    yield
    for found in new.problems:
        if id(found) not in before and found not in known:
            where, problem = found
            about = new.containers.get(where)
            name, short = (about.name, about.short_id) if about is not None else (where, None)
            crowd.warning("problem.found", name=name, id=short, subject=problem.subject, message=problem.message)
            yield
