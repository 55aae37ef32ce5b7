"""One name of the zone: what all that have something there make of it.

Never does: know its own name, keep who contributed. The zone's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from haystack.dns.facts import NOTHING, Facts

Owner = tuple[int, str]  # in the order in which they count: the origin, engines by id, containers by id, services by name, the file
ORIGIN, ENGINE, CONTAINER, SERVICE, FILE = range(5)
Layers = Mapping[Owner, Facts]
THE_FILE: Owner = (FILE, "")


class Node(Facts):
    """One name that exists. No data at all: an empty non-terminal (RFC 8020), which answers NODATA."""

    __slots__ = ("apex",)

    def __init__(self, *, apex: bool = False) -> None:
        super().__init__()
        self.apex = apex

    @property
    def empty(self) -> bool:
        """True for a name that exists only because names below it do."""
        return not (self.own or self.hosts or self.srv or self.ptr or self.records or self.apex)

    def lay(self, layers: Layers) -> None:
        """Hold what these contributors have here, in their order; of a single one, the very same. Who has the best right has the name."""
        ordered = [layers[owner] for owner in sorted(layers)] if len(layers) > 1 else list(layers.values())
        named = [layer for layer in ordered if layer.own or layer.hosts]
        self.rank = min((layer.rank for layer in named), default=self.rank)
        named = [layer for layer in named if layer.rank == self.rank]
        self.own = any(layer.own for layer in named)
        self.hosts = _united([layer.hosts for layer in named])
        self.public = any(layer.public for layer in named)
        self.srv = _united([layer.srv for layer in ordered])
        self.ptr = _united([layer.ptr for layer in ordered])
        self.records = layers[THE_FILE].records if THE_FILE in layers and not is_hidden(layers) else ()


def is_hidden(layers: Layers) -> bool:
    """Whether what the file has at a name does not count, for Haystack has found the name itself."""
    return THE_FILE in layers and any(
        owner[0] in (ENGINE, CONTAINER, SERVICE) or layer.own or layer.hosts or layer.ptr
        for owner, layer in layers.items()
        if owner != THE_FILE
    )


def _united(sets: list[Mapping[Any, None]]) -> Mapping[Any, None]:
    held = [each for each in sets if each]
    return dict.fromkeys(key for each in held for key in each) if len(held) > 1 else held[0] if held else NOTHING
