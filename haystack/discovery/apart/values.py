"""The settings that discovery reads, as they travel to its process. Pure."""

from __future__ import annotations

from haystack.discovery import DiscoverySettings


def values(settings: DiscoverySettings) -> dict[str, object]:
    """By their names: all that the protocol lists."""
    return {name: getattr(settings, name) for name in dir(DiscoverySettings) if name[0] != "_"}
