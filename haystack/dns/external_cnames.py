"""Where a CNAME of ours leads to a name of others: our CNAMEs, and what a nameserver says of that name.

Never does: ask anybody. Between the zone and the forwarder.
"""

from __future__ import annotations

from typing import NamedTuple

from haystack._fast.dns.responder import Responder
from haystack.dns import wire
from haystack.dns.forward import message, rewriting
from haystack.dns.forward.resolved import Resolved
from haystack.net.rights import Right


class Chain(NamedTuple):
    """Our CNAMEs from a name on, packed, and where the last of them leads."""

    packed: wire.Packed
    target: bytes


def chain(responder: Responder, query: wire.Query) -> Chain | None:
    """What the zone has at the name of a query; None: nothing that leads to others."""
    reply = responder.ask(wire.question(query.key, query.qtype), tcp=True, rights=int(Right.INSIDE))
    if not reply:
        return None
    found = message.read(reply, reply[wire.HEADER : wire.HEADER + len(query.question)])
    if not found.records or found.records[-1].rtype != wire.CNAME:
        return None
    last = found.records[-1]
    return Chain(message.packed(found)[0], wire.expanded(found.data, last.data_at)[0].lower())


def ahead(query: wire.Query, found: Chain) -> wire.Query:
    """The same question about the name that it leads to."""
    return query._replace(key=found.target, question=found.target + query.question[-4:])


def joined(query: wire.Query, found: Chain, answer: Resolved, ttl: int) -> Resolved:
    """Both as one answer. It is kept no longer than our own records."""
    whole = rewriting.joined(found.packed, query.key, found.target, answer.packed)
    return answer._replace(packed=whole, lifetime=min(answer.lifetime, ttl))
