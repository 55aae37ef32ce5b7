"""The word of haystack.balance, taken apart: ``p2c``, ``hash``, ``hash:path``, ``hash:header:NAME``, ``hash:cookie:NAME``.

Pure. Which words there are is decided in settings/balance.py.
"""

from __future__ import annotations

from typing import NamedTuple

HASH = "hash"  # the algorithm that goes by a key


class Balance(NamedTuple):
    """key: what the key of ``hash`` is made of, empty: the client's address; name: of that header or cookie."""

    algorithm: str
    key: str = ""
    name: str = ""

    @property
    def keyed(self) -> bool:
        """Whether requests go by a key."""
        return self.algorithm == HASH


def parts(word: str) -> Balance:
    """What such a word says; an empty one says nothing."""
    algorithm, _, key = word.partition(":")
    kind, _, name = key.partition(":")
    return Balance(algorithm, kind, name)
