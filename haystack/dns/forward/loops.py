"""Our own questions that come back: a nameserver of ours forwards to us.

Told by the address of the nameserver, and by the random case of the name, which only that nameserver has seen: nobody else can learn by
asking what is outstanding (RFC 5452). A loop that changes the case joins the outstanding question instead, and ends with it; it is told
when nobody else has answered that.
"""

from __future__ import annotations

from collections import Counter

from haystack.dns import wire
from haystack.dns.forward.message import Sent
from haystack.dns.forward.nameservers import Nameserver
from haystack.dns.forward.shares import client_of
from haystack.observe.counted_lines import Tally


class Loops:
    """The questions that are outstanding, as they were sent."""

    def __init__(self) -> None:
        self._outstanding: Counter[tuple[str, bytes]] = Counter()  # as sent, and in lower case
        self._tally = Tally("dns.loop_found", __name__)

    def note(self, server: Nameserver, sent: Sent, change: int) -> None:
        """A question is with a nameserver (+1), or no more (-1)."""
        client = client_of(server.address)
        for mark in {(client, sent.question), (client, sent.question.lower())}:
            self._outstanding[mark] += change
            if not self._outstanding[mark]:
                del self._outstanding[mark]

    def is_one(self, query: wire.Query, client: str) -> bool:
        """Whether a query is a question of ours, from the very nameserver that it was sent to. In lower case anybody may have asked it."""
        return query.question[: len(query.key)] != query.key and (client, query.question) in self._outstanding

    def may_be_one(self, query: wire.Query, client: str) -> bool:
        """Whether a nameserver asks what it has been asked, in whatever case. It may ask for itself."""
        return (client, query.question.lower()) in self._outstanding

    def tell(self, query: wire.Query, client: str) -> None:
        """Log it, once a minute at most."""
        self._tally.note(client, name=b".".join(wire.labels(query.key)).decode(errors="replace"))

    def close(self) -> None:
        """Tell what is left to tell."""
        self._tally.close()
