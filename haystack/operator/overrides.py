"""Sets of overrides made of others: one more, some less; and what may be in them.

Pure: the moment is given. A set never changes; each new one has the next number.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

from msgspec.structs import replace

from haystack.model.overrides import Overrides, Scope
from haystack.model.services import Override

MOST = 20_000  # overrides at once
LONGEST = 366 * 86400.0  # seconds for which one may hold
HEAVIEST = 65535  # as haystack.weight
WHY, WHO, NAME = 200, 100, 300  # characters at most
LATEST = 2.5e11  # Unix seconds: what a calendar has a year for
SCOPES = frozenset(scope.value for scope in Scope)


def clean(text: str, most: int) -> str:
    """A text of one line, with blanks for other white space, that JSON can hold."""
    return " ".join(text.encode("utf-8", "replace").decode().split())[:most]


def is_sound(override: Override) -> bool:
    """Whether one that was read from a file or came from another process could have been made here."""
    texts = ((override.target, NAME), (override.name, NAME), (override.container, NAME), (override.by, WHO), (override.fingerprint, WHO))
    return (
        override.scope in SCOPES
        and bool(override.target)
        and all(len(text) <= most for text, most in (*texts, (override.why, WHY)))
        and all(math.isfinite(time) and 0 <= time < LATEST for time in (override.at, override.until))
        and (override.weight is None or (0 <= override.weight <= HEAVIEST and override.scope == Scope.ENDPOINT.value))
    )


def added(old: Overrides, more: Iterable[Override]) -> Overrides:
    """With these, in the place of others of the same kind about the same targets."""
    drains, weights = dict(old.drains), dict(old.weights)
    for override in more:
        (drains if override.weight is None else weights)[override.target] = override
    return Overrides(number=old.number + 1, drains=drains, weights=weights)


def without(old: Overrides, fewer: Iterable[Override]) -> Overrides:
    """Without these very ones: another about the same target stays."""
    drains, weights = dict(old.drains), dict(old.weights)
    for override in fewer:
        among = drains if override.weight is None else weights
        if among.get(override.target) is override:
            del among[override.target]
    return Overrides(number=old.number + 1, drains=drains, weights=weights)


def restored(found: Iterable[Override], now: float) -> Overrides:
    """Those that are sound and hold still, the last of each kind about a target."""
    good = [each for each in found if is_sound(each) and not is_over(each, now)]
    return added(Overrides(), good[-MOST:])


def is_over(override: Override, now: float) -> bool:
    """Whether its time is up. now: Unix seconds."""
    return 0 < override.until <= now


def renamed(override: Override) -> Override:
    """With texts that fit."""
    return replace(
        override,
        name=clean(override.name, NAME),
        by=clean(override.by, WHO) or override.fingerprint or "unknown",
        why=clean(override.why, WHY),
    )
