"""Our own questions that come back: a nameserver of ours forwards to us.

Told by the address of the nameserver, and by the random case of the name, which only that nameserver has seen: nobody else can learn by
asking what is outstanding (RFC 5452). A loop that changes the case joins the outstanding question instead, and ends with it. Then the
nameserver is asked for a name with a random label, which keeps its letters: if that comes back, it was a loop.
"""

from __future__ import annotations

import secrets
from collections import Counter

from haystack.dns import wire
from haystack.dns.forward.message import Sent
from haystack.dns.forward.nameservers import Nameserver
from haystack.dns.forward.shares import client_of
from haystack.observe.counted_lines import EVERY, Tally

_LABEL = 33  # octets, its length among them


class Loops:
    """The questions that are outstanding, as they were sent."""

    def __init__(self) -> None:
        self._outstanding: Counter[tuple[str, bytes]] = Counter()  # as sent, and in lower case
        self._tally = Tally("dns.loop_found", __name__)
        self._marked = b""  # the name with a random label
        self._marked_at = -EVERY
        self._suspect: wire.Query | None = None  # the question that it was made for

    def note(self, server: Nameserver, sent: Sent, change: int) -> None:
        """A question is with a nameserver (+1), or no more (-1)."""
        client = client_of(server.address)
        for mark in {(client, sent.question), (client, sent.question.lower())}:
            self._outstanding[mark] += change
            if not self._outstanding[mark]:
                del self._outstanding[mark]

    def found(self, query: wire.Query, client: str) -> wire.Query | None:
        """The question of ours that has come back as this query, from the nameserver that it was sent to; None: it is somebody's own.

        In lower case anybody may have asked it.
        """
        if query.key == self._marked:
            return self._suspect
        return query if query.question[: len(query.key)] != query.key and (client, query.question) in self._outstanding else None

    def marked(self, query: wire.Query, now: float) -> wire.Query | None:
        """A question to be sent in order to find out; None: not now, once a minute is enough."""
        if now - self._marked_at < EVERY or len(query.key) + _LABEL >= wire.LONGEST_NAME:
            return None
        self._marked_at, self._suspect = now, query
        self._marked = bytes((_LABEL - 1,)) + secrets.token_hex(_LABEL // 2).encode() + query.key
        return wire.parse(wire.question(self._marked, query.qtype))

    def may_be_one(self, query: wire.Query, client: str) -> bool:
        """Whether a nameserver asks what it has been asked, in whatever case. It may ask for itself."""
        return (client, query.question.lower()) in self._outstanding

    def tell(self, query: wire.Query, client: str) -> None:
        """Log it, once a minute at most."""
        self._tally.note(client, name=b".".join(wire.labels(query.key)).decode(errors="replace"))

    def close(self) -> None:
        """Tell what is left to tell."""
        self._tally.close()
