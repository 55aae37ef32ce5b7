"""Who may begin a login: bounds and shares, so that strangers at the shell's port lock nobody out and cost the control process little.

A key exchange holds the loop for some milliseconds. So each address may have a few that have not logged in yet, and begin one a second
on the long run; all together have bounds as well. When all places are taken, the oldest login of the address with most of them makes room.
When those of one address are, its oldest that has said nothing does, else its oldest that takes longer than a login does: behind a gateway
everybody has one address, and whoever leaves connections open there must not lock out the others. Those who log in have theirs back: a
script that asks ten times a second for its commands is none of this. So have those who never said a word, but for a small part. Pure; times
in seconds of any clock that only grows. Never touches a socket.
"""

from __future__ import annotations

import ipaddress
from collections import Counter
from collections.abc import Callable
from typing import NamedTuple

SHARE, ALL = 10, 40  # logins under way: of one address, in all
BURST, PER_SECOND = 20, 1.0  # that one address may begin
BURST_IN_ALL, PER_SECOND_IN_ALL = 60, 20.0
SILENT = 0.05  # of a login is what one costs that never said a word: no key was exchanged
LONG = 2.0  # seconds that a login takes at most, where nobody waits for anything
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
    """One that is under way. address: whose, as it is counted; evict: ends it, for somebody else's sake; spoken: whether the client has.

    began: when; fresh: out of which allowance in all it came.
    """

    __slots__ = ("address", "began", "evict", "fresh", "spoken")

    def __init__(self, address: str, evict: Callable[[], None], began: float, *, fresh: bool) -> None:
        self.address = address
        self.evict = evict
        self.spoken: Callable[[], bool] = lambda: False
        self.began = began
        self.fresh = fresh


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
        full = self._of[address] >= SHARE
        yielding = self._yielding(address, time) if full else None
        back = 1 - SILENT if yielding is not None and not yielding.spoken() else 0.0
        refused = (full and yielding is None) or mine.level + back < 1 or (whole.level < 1 and address not in self._good)
        if not refused and yielding is not None:
            self._remember(address, mine)
            self._turn_out(yielding)
            mine, whole = self._buckets.pop(address), self._whole[fresh].now(time, BURST_IN_ALL, PER_SECOND_IN_ALL)
        if not refused:
            mine = Bucket(mine.level - 1, time)
            whole = Bucket(max(0.0, whole.level - 1), time)
        self._whole[fresh] = whole
        self._remember(address, mine)
        if refused:
            return None
        if len(self._under_way) >= ALL:
            self._make_room()
        login = Login(address, evict, time, fresh=fresh)
        self._under_way[login] = None
        self._of[address] += 1
        return login

    def end(self, login: Login, *, good: bool) -> None:
        """It is over, or has been before. good: a key was right, and what it cost is given back; most of it where nothing was said."""
        if login not in self._under_way:
            return
        del self._under_way[login]
        self._of[login.address] -= 1
        if not self._of[login.address]:
            del self._of[login.address]
        if good:
            self._give_back(login, 1.0)
            self._good[login.address] = None
            if len(self._good) > KNOWN:
                del self._good[next(iter(self._good))]

        elif not login.spoken():
            self._give_back(login, 1 - SILENT)
            whole = self._whole[login.fresh]
            self._whole[login.fresh] = Bucket(min(BURST_IN_ALL, whole.level + 1 - SILENT), whole.at)

    def _give_back(self, login: Login, part: float) -> None:
        if found := self._buckets.get(login.address):
            self._buckets[login.address] = Bucket(min(BURST, found.level + part), found.at)

    def _yielding(self, address: str, time: float) -> Login | None:
        """Which login of this address makes room for another one of it."""
        own = [login for login in self._under_way if login.address == address]
        late = (login for login in own if time - login.began >= LONG)
        return next((login for login in own if not login.spoken()), None) or next(late, None)

    def _make_room(self) -> None:
        most = max(self._of.values())
        self._turn_out(next(login for login in self._under_way if self._of[login.address] == most))

    def _turn_out(self, login: Login) -> None:
        self.end(login, good=False)
        login.evict()

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
