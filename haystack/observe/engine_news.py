"""Tells the journal of sources of containers that don't answer any more, and that answer again. Where they are is for the shell alone."""

from __future__ import annotations

from haystack.model import source_names
from haystack.model.records import Engine
from haystack.observe.journal import Note


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
    kind = source_names.kind(source)
    return f"the {kind}" if kind else source_names.name(source, engine) or "an engine"
