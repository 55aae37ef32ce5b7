"""What a question comes to: a packed answer, how long a worker may keep it, and where it is from. Constants of what goes wrong."""

from __future__ import annotations

from enum import StrEnum
from typing import NamedTuple

from haystack.dns import wire
from haystack.dns.forward.cache import Answer

# RFC 8767 section 4: what is stale is given with a TTL of 30 seconds.
STALE_TTL = 30


class Source(StrEnum):
    """Where an answer is from."""

    CACHE = "cache"
    UPSTREAM = "upstream"
    STALE = "stale"
    FAILURE = "failure"
    REFUSED = "refused"


class Resolved(NamedTuple):
    """An answer. lifetime: seconds that a worker may keep it (0: not at all); server: the nameserver that gave it; options: EDNS options.

    TTLs are as of now. leads: the name of ours that its CNAMEs lead to, where our records are not in it yet.
    """

    packed: wire.Packed
    lifetime: int
    source: Source
    server: str = ""
    options: bytes = b""
    leads: bytes = b""


def _extended(code: int) -> bytes:
    """An Extended DNS Error in wire form (RFC 8914 section 2)."""
    return b"\0\x0f\0\x02" + code.to_bytes(2, "big")


# RFC 8914 section 4: Stale Answer (3), Stale NXDOMAIN Answer (19), No Reachable Authority (22), Network Error (23).
_STALE, _STALE_NO, _NO_SERVER, _NO_ANSWER = map(_extended, (3, 19, 22, 23))
_SERVFAIL = wire.Packed(wire.RA | wire.SERVFAIL)

NO_SERVER = Resolved(_SERVFAIL, 1, Source.FAILURE, options=_NO_SERVER)
NO_ANSWER = Resolved(_SERVFAIL, 1, Source.FAILURE, options=_NO_ANSWER)
BAD_ANSWER = Resolved(_SERVFAIL, 1, Source.FAILURE)  # a nameserver's SERVFAIL, REFUSED or the like, and no other did better
BUSY = Resolved(_SERVFAIL, 0, Source.FAILURE)  # over a client's share
LOOP = Resolved(wire.Packed(wire.RA | wire.REFUSED), 0, Source.REFUSED)


def given(answer: Answer, source: Source) -> Resolved:
    """A good answer."""
    return Resolved(answer.packed, answer.lifetime, source, answer.server, leads=answer.leads)


def stale(answer: Answer) -> Resolved:
    """One that has expired. A worker asks again soon: the nameserver may be back."""
    no = answer.packed.flags & 0x000F == wire.NXDOMAIN
    return Resolved(answer.packed, 1, Source.STALE, answer.server, _STALE_NO if no else _STALE, answer.leads)


def reason(failed: Resolved) -> str:
    """Why there is no answer, in words."""
    if failed.source is Source.REFUSED:
        return "a nameserver sends Haystack's own queries back to it"
    if failed.options == _NO_SERVER:
        return "no nameserver is configured for this name"
    if failed.options == _NO_ANSWER:
        return "no nameserver answered"
    return f"nameserver {failed.server} has failed" if failed.server else "too many queries wait for nameservers"
