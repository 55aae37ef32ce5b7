"""How a service's requests are shared out: the word of haystack.balance and HAYSTACK_BALANCE, checked.

Pure. The algorithms themselves are compiled: haystack/_fast/pick.pyx has their table, and affinity.pyx makes the keys of `hash`.
"""

from __future__ import annotations

import re

BALANCES = ("p2c", "random", "roundrobin", "leastconn")
TAKES = f"one of {', '.join(BALANCES)}"

_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64}")  # RFC 9110 section 5.6.2


def read(text: object) -> str:
    """The normal form of such a word. Raises ValueError."""
    word = str(text).strip().lower()
    if word in BALANCES:
        return word
    raise ValueError("no such way to balance")
