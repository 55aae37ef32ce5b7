"""Tells the journal of sources of containers that don't answer any more, and that answer again. Where they are is for the shell alone."""

from __future__ import annotations

from haystack.model.records import Engine
from haystack.observe.journal import Note

# of sources that are no engines, by what their keys begin with
NAMES = {"file": "the static file", "demo": "the demo", "swarm": "the Swarm"}


class EngineNews:
    """What was told last of each source."""

    def __init__(self, note: Note) -> None:
        self._note = note
        self._lost: set[str] = set()

    def hear(self, source: str, engine: Engine | None, error: str) -> None:
        """The source answers, or does not: then it is said why."""
        about = _name(source, engine)
        if error and source not in self._lost:
            self._lost.add(source)
            self._note("engine.lost", about, f"does not answer: {error}; what it listed last stays", detail=source)
        elif not error and source in self._lost:
            self._lost.discard(source)
            self._note("engine.back", about, "answers again", detail=source)

    def listed(self, source: str, engine: Engine | None, containers: int) -> None:
        """Its first list is in."""
        text = f"was listed: {containers:,} container{'' if containers == 1 else 's'}"
        self._note("engine.listed", _name(source, engine), text, detail=source)


def _name(source: str, engine: Engine | None) -> str:
    return NAMES.get(source.partition(":")[0]) or (engine.name if engine is not None else "") or "an engine"
