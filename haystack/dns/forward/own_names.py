"""Where a nameserver's CNAMEs lead to a name of ours: our own records behind them, for the client who asks.

Never does: keep anything: what is ours may be another the next moment. Between the forwarder and whoever answers for the zone.
"""

from __future__ import annotations

from typing import Protocol

from haystack.dns import wire
from haystack.dns.forward import rewriting
from haystack.dns.forward.message import GOOD
from haystack.dns.forward.resolved import Resolved


class OwnNames(Protocol):
    """What is ours."""

    def holds(self, name: bytes) -> bool:
        """Whether a name (lower-case wire form) is ours to answer for, whether it is there or not."""

    def answer(self, name: bytes, qtype: int, client: str) -> wire.Packed | None:
        """The answer for this client, REFUSED where it may not have one; None: the name is not ours."""


class Nobody:
    """Nothing is ours."""

    def holds(self, name: bytes) -> bool:  # noqa: ARG002 - nothing is ours, whatever it is
        """No."""
        return False

    def answer(self, name: bytes, qtype: int, client: str) -> wire.Packed | None:  # noqa: ARG002
        """None."""
        return None


def completed(found: Resolved, query: wire.Query, client: str, names: OwnNames) -> Resolved:
    """With our own records; for no other client, so a worker does not keep it. Whoever may not see them has the CNAMEs alone."""
    if not found.leads:
        return found
    ours = names.answer(found.leads, query.qtype, client)
    if ours is None or ours.flags & 0x000F not in GOOD:
        return found._replace(lifetime=0)
    return found._replace(packed=rewriting.joined(found.packed, query.key, found.leads, ours), lifetime=0)
