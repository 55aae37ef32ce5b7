"""A long report of what a worker has counted, as several: the control process takes each in within a millisecond. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec.structs import replace

from haystack.proxy.ipc import Counts

PART = 100  # rows: each may be the first of its service in this snapshot, whose endpoints are looked up then


def parts(counts: Counts) -> Iterator[Counts]:
    """The same in parts, in their order: each member before what is counted for it, the number that was asked for with the last one."""
    while len(counts.members) > PART:
        yield replace(counts, number=0, requests=(), errors=(), gone=(), members=counts.members[:PART])
        counts = replace(counts, members=counts.members[PART:])
    while len(counts.requests) > PART:
        yield replace(counts, number=0, errors=(), gone=(), requests=counts.requests[:PART])
        counts = replace(counts, members=(), requests=counts.requests[PART:])
    yield counts
