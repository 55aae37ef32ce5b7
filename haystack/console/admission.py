"""Who may begin a login: bounds and shares, so that strangers at the shell's port lock nobody out and cost the control process little.

A key exchange holds the loop for some milliseconds. So each address may have a few that have not logged in yet, and begin one a second
on the long run; all together have bounds as well. When all places are taken, the oldest login of the address with most of them makes room.
Those who log in have theirs back: a script that asks ten times a second for its commands is none of this. Pure; times in seconds of any
clock that only grows. Never touches a socket.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

SHARE, ALL = 10, 40  # logins under way: of one address, in all
BURST, PER_SECOND = 20, 1.0  # that one address may begin
BURST_IN_ALL, PER_SECOND_IN_ALL = 60, 20.0
LATELY = 60.0  # seconds for which an address counts as having come
KNOWN = 4096  # addresses of which is remembered how many they began


class Bucket(NamedTuple):
    """What is left of an allowance that refills. level: as it was at `at`."""

    level: float
    at: float

    def now(self, time: float, burst: float, rate: float) -> Bucket:
        """As it is at this time."""
        return Bucket(min(burst, self.level + (time - self.at) * rate), time)


class Login:
    """One that is under way. address: whose, as it is counted; evict: ends it, for somebody else's sake."""

    __slots__ = ("address", "evict")

    def __init__(self, address: str, evict: Callable[[], None]) -> None:
        self.address = address
        self.evict = evict


class Admission:
    """The logins that are under way, and what each address has begun of late."""

    def __init__(self) -> None:
        self._good: dict[str, None] = {}  # addresses from which somebody has logged in
        self._under_way: dict[Login, None] = {}  # oldest first
        self._of: Counter[str] = Counter()
        self._buckets: dict[str, Bucket] = {}  # least recently seen first
        # one allowance in all for those who come again and again, and one for others: a flood uses up its own alone
        self._whole = {fresh: Bucket(BURST_IN_ALL, 0.0) for fresh in (False, True)}

    def begin(self, peer: str, time: float, evict: Callable[[], None]) -> Login | None:
        """One from this address; None: it is turned away."""
        address = counted(peer)
        before = self._buckets.pop(address, Bucket(BURST, time - LATELY))
        mine, fresh = before.now(time, BURST, PER_SECOND), time - before.at >= LATELY
        whole = self._whole[fresh].now(time, BURST_IN_ALL, PER_SECOND_IN_ALL)
        refused = self._of[address] >= SHARE or mine.level < 1 or (whole.level < 1 and address not in self._good)
        if not refused:
            mine = Bucket(mine.level - 1, time)
            whole = Bucket(max(0.0, whole.level - 1), time)
        self._whole[fresh] = whole
        self._remember(address, mine)
        if refused:
            return None
        if len(self._under_way) >= ALL:
            self._make_room()
        login = Login(address, evict)
        self._under_way[login] = None
        self._of[address] += 1
        return login

    def end(self, login: Login, *, good: bool) -> None:
        """It is over, or has been before. good: a key was right, and what it cost is given back."""
        if login not in self._under_way:
            return
        del self._under_way[login]
        self._of[login.address] -= 1
        if not self._of[login.address]:
            del self._of[login.address]
        if good:
            found = self._buckets.get(login.address, Bucket(BURST, 0.0))
            self._buckets[login.address] = Bucket(min(BURST, found.level + 1), found.at)
            self._good[login.address] = None
            if len(self._good) > KNOWN:
                del self._good[next(iter(self._good))]

    def _make_room(self) -> None:
        most = max(self._of.values())
        oldest = next(login for login in self._under_way if self._of[login.address] == most)
        self.end(oldest, good=False)
        oldest.evict()

    def _remember(self, address: str, bucket: Bucket) -> None:
        self._buckets[address] = bucket
        if len(self._buckets) > KNOWN:
            del self._buckets[next(iter(self._buckets))]


def counted(peer: str) -> str:
    """As what an address is counted: an IPv6 client has a /64."""
    try:
        address = ipaddress.ip_address(peer.partition("%")[0])
    except ValueError:
        return peer
    return str(ipaddress.ip_network((address, 64), strict=False)) if address.version == 6 else str(address)  # noqa: PLR2004 - IPv6
