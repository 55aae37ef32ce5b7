"""What sources of containers are called where it must not be told where they are. Pure."""

from __future__ import annotations

from haystack.model.records import Engine

# of sources that are no engines, by what their keys begin with
KINDS = {"file": "static file", "demo": "demo", "swarm": "Swarm"}


def kind(source: str) -> str:
    """What the source of this key is; empty: an engine."""
    return KINDS.get(source.partition(":")[0], "")


def name(source: str, engine: Engine | None) -> str:
    """Its kind, or the name of its engine; empty where that has not been listed yet."""
    return kind(source) or (engine.name if engine is not None else "")
