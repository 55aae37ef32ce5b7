"""How long forwarding waits, for what. One record, so that a test can have all of it shorter."""

from __future__ import annotations

from typing import NamedTuple


class Times(NamedTuple):
    """All in seconds.

    resend: after the first datagram, when more are sent; limit: of one question in all, below the 5 s after which most clients give up;
    patience: until a stale answer is given (RFC 8767 section 5, client response timer); tcp: of one exchange over TCP; probe: of a question
    to a nameserver that is skipped; failure: how long a failure is kept (RFC 9520 section 3.2); recheck: how long after a failure stale
    answers are given at once; pause, longest_pause: for which a nameserver is skipped at first, and at most; calm: after which its earlier
    failures count no more; learned: how long it is remembered that a nameserver has no EDNS, or does not keep the case of a name.
    """

    resend: tuple[float, ...] = (0.4, 1.2, 2.0, 3.2)
    limit: float = 4.8
    patience: float = 1.8
    tcp: float = 2.0
    probe: float = 2.0
    failure: float = 1.0
    recheck: float = 30.0
    pause: float = 1.0
    longest_pause: float = 60.0
    calm: float = 120.0
    learned: float = 3600.0

    def scaled(self, factor: float) -> Times:
        """The same, all of it so many times as long."""
        rest = (value * factor for value in self[1:] if isinstance(value, float))
        return Times(tuple(at * factor for at in self.resend), *rest)


TIMES = Times()
