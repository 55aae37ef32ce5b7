"""What is known of one nameserver: whether it is in use, how fast it is, what it can't do; and in which order nameservers are asked.

Pure: times come in. Never does: send anything. exchange.py and race.py tell it what happened; the forwarder asks it for the order.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from enum import StrEnum
from typing import NamedTuple

from haystack.dns.forward.nameservers import Nameserver
from haystack.dns.forward.times import TIMES, Times

# RFC 6298 section 2.3, as TCP smooths its round-trip times.
_SMOOTHING = 0.125
_UNANSWERED = 2


class Failure(StrEnum):
    """Why what a nameserver said, or did not say, is of no use."""

    TIMEOUT = "timeout"  # nothing came
    UNREACHABLE = "unreachable"  # the network, or a port where nobody listens
    SERVFAIL = "servfail"
    REFUSED = "refused"
    ERROR = "error"  # another code than NOERROR and NXDOMAIN
    LYING = "lying"  # the answer to another question, or no answer at all
    GARBLED = "garbled"  # not a DNS message
    TCP = "tcp"  # the answer is cut off, and whole there is none
    SHORTAGE = "shortage"  # no socket: nothing that the nameserver could help


# Nobody is there, or nobody who speaks DNS.
_BAD = frozenset({Failure.UNREACHABLE, Failure.LYING, Failure.GARBLED})


class Standing:
    """One nameserver. A server that is skipped is asked last, and from time to time beside another one, until it answers."""

    def __init__(self, server: Nameserver, times: Times = TIMES) -> None:
        self.server = server
        self.questions = 0
        self.failures: Counter[Failure] = Counter()
        self.rtt = 0.0
        self.skipped_since: float | None = None
        self._times = times
        self._again_at = 0.0
        self._strikes = 0
        self._struck_at = -math.inf
        self._heard_at = -math.inf
        self._plain_until = -math.inf
        self._caseless_until = -math.inf

    def heard(self, now: float, took: float | None) -> None:
        """It has said something, whatever that is. took: the round trip, where one datagram alone was sent (Karn's rule)."""
        self._heard_at = now
        self.skipped_since = None
        if now - self._struck_at > self._times.calm:
            self._strikes = 0
        if took is not None:
            self.rtt += (took - self.rtt) * _SMOOTHING if self.rtt else took

    def failed(self, failure: Failure, now: float) -> None:
        """A question to it has failed. What may be the question's fault, SERVFAIL and the like, does not have it skipped."""
        self.failures[failure] += 1
        if failure in _BAD:
            self._skip(now)

    def silent(self, since: float, datagrams: int, now: float) -> None:
        """It has not answered a question of then. One datagram may be lost, and one question may be hard: then it answers others."""
        if datagrams >= _UNANSWERED and self._heard_at < since:
            self._skip(now)

    def _skip(self, now: float) -> None:
        if self.skipped_since is None:  # else the same silence, told by another question
            self.skipped_since = now
            self._strike(now)

    def _strike(self, now: float) -> None:
        pause = min(self._times.longest_pause, self._times.pause * 2**self._strikes)
        self._strikes = min(self._strikes + 1, 16)
        self._struck_at, self._again_at = now, now + pause

    def probed(self, now: float) -> bool:
        """Whether it is time to ask it something beside; then it is not for the next while."""
        if self.skipped_since is None or now < self._again_at:
            return False
        self._again_at = now + self._times.longest_pause
        return True

    def missed(self, now: float) -> None:
        """It has not answered what it was asked beside: it is skipped for longer."""
        if self.skipped_since is not None:
            self._strike(now)

    def plain(self, now: float) -> bool:
        """Whether it is asked without EDNS."""
        return now < self._plain_until

    def caseless(self, now: float) -> bool:
        """Whether it does not keep the case of a name."""
        return now < self._caseless_until

    def learn(self, now: float, *, plain: bool, caseless: bool) -> None:
        """What had to be left out for it to answer."""
        if plain and not self.plain(now):
            self._plain_until = now + self._times.learned
        if caseless and not self.caseless(now):
            self._caseless_until = now + self._times.learned


class Order(NamedTuple):
    """Whom to ask, one after the other; and whom beside, only to find out whether it is back."""

    asked: list[Standing]
    probed: Standing | None


def order(standings: Sequence[Standing], now: float) -> Order:
    """The configured order, those that are skipped last. Where all are, nobody is better than another: the configured order."""
    in_use = [each for each in standings if each.skipped_since is None]
    if not in_use:
        return Order(list(standings), None)
    skipped = [each for each in standings if each.skipped_since is not None]
    return Order(in_use + skipped, next((each for each in skipped if each.probed(now)), None))


class Standings:
    """What is known of each nameserver, whichever names it is asked for."""

    def __init__(self, times: Times = TIMES) -> None:
        self._times = times
        self._by: dict[Nameserver, Standing] = {}

    def of(self, servers: Iterable[Nameserver]) -> list[Standing]:
        """Theirs, in the same order."""
        return [self._by.get(server) or self._by.setdefault(server, Standing(server, self._times)) for server in servers]
