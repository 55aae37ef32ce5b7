"""Which labels are meant for Haystack, and which one was meant by a name that is none. Pure."""

from __future__ import annotations

from collections.abc import Collection

from haystack.model.spelling import nearest

PREFIX = "haystack."
_SEPARATORS = tuple("-_/:")  # that people write for the dot
_WITHOUT = str.maketrans(dict.fromkeys(".-_/:"))


def plain(word: str) -> str:
    """A name without what separates its words."""
    return word.translate(_WITHOUT)


def is_ours(key: str, known: Collection[str]) -> bool:
    """Whether a label is meant for Haystack: haystack.* in any case, or one that there is (known: plain) but for its separator."""
    start = key[: len(PREFIX)].lower()
    if start == PREFIX:
        return True
    return start.startswith(PREFIX[:-1]) and start.endswith(_SEPARATORS) and plain(key[len(PREFIX) :].lower()) in known


def nearest_name(key: str, known: Collection[str]) -> str:
    """The whole label that was meant; empty: none is like it. known: names without their prefix."""
    named = {plain(word): word for word in known}
    near = nearest(plain(key[len(PREFIX) :].lower()), named)
    return f"{PREFIX}{named[near]}" if near else ""
