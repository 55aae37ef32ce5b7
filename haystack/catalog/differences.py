"""Where two long lists that are mostly the same differ: whole stretches of them are compared at once. Pure."""

from __future__ import annotations

from haystack.model.records import Container

STRETCH = 64  # containers
Listed = tuple[Container, ...]


def differing(old: Listed, new: Listed) -> tuple[Listed, Listed]:
    """Both lists without the stretches that are equal at their beginnings and at their ends."""
    left, end = 0, min(len(old), len(new))
    while left < end and old[left : left + STRETCH] == new[left : left + STRETCH]:
        left = min(left + STRETCH, end)
    mine, theirs = len(old), len(new)
    while (size := min(STRETCH, mine - left, theirs - left)) and old[mine - size : mine] == new[theirs - size : theirs]:
        mine, theirs = mine - size, theirs - size
    return old[left:mine], new[left:theirs]
