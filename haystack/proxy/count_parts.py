"""A long report of what a worker has counted, as several: the control process takes each in within a millisecond or two. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from haystack.proxy.ipc import Counts

PART = 100  # rows: each may be the first of its service in this snapshot, whose endpoints are looked up then
LISTS = ("members", "requests", "ended", "services", "loads")  # in the order in which they are told
NOTHING: dict[str, Any] = dict.fromkeys(LISTS, ())


def parts(counts: Counts) -> Iterator[Counts]:
    """The same in parts, in their order: each member before what is counted for it, the number that was asked for with the last one."""
    bare = replace(counts, number=0, errors=(), gone=(), handshakes=(), **NOTHING)
    rest: dict[str, Any] = {}
    for name in LISTS:
        rows = getattr(counts, name)
        whole = max(0, len(rows) - 1) // PART * PART
        for at in range(0, whole, PART):
            yield replace(bare, **{**rest, name: rows[at : at + PART]})
            rest = {}
        rest[name] = rows[whole:]
    yield replace(counts, **{**NOTHING, **rest})
