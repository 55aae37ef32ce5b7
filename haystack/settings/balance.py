"""How a service's requests are shared out: the word of haystack.balance and HAYSTACK_BALANCE, checked.

Pure. The algorithms themselves are compiled: haystack/_fast/balance/pickers.pyx has their table, and affinity.pyx makes the keys of `hash`.
"""

from __future__ import annotations

import re

from haystack.model.balance import parts

BALANCES = ("p2c", "random", "roundrobin", "leastconn", "ewma", "hash")
KEYS = ("hash:path", "hash:header:NAME", "hash:cookie:NAME")
TAKES = f"one of {', '.join((*BALANCES, *KEYS))}"

_KEY = re.compile(r"hash:(path|(?:header|cookie):[!#$%&'*+\-.^_`|~0-9A-Za-z]{1,64})", re.ASCII)  # names: RFC 9110 section 5.6.2


def read(text: object) -> str:
    """The normal form of such a word: names in lower case but for a cookie's, which differ by it. Raises ValueError."""
    word = str(text).strip()
    lower = word.lower()
    if lower in BALANCES:
        return lower
    if not _KEY.fullmatch(lower):
        raise ValueError("no such algorithm")
    return f"hash:cookie:{parts(word).name}" if parts(lower).key == "cookie" else lower
