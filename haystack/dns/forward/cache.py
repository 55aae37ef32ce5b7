"""What nameservers answered, within a bound of bytes: fresh, or for a day longer as a last resort (RFC 8767).

NXDOMAIN is kept for a name, whatever type was asked for, and holds for all names below it (RFC 8020). Pure: times come in. Never does:
ask, decide whether a stale answer is given. The forwarder asks it.
"""

from __future__ import annotations

import struct
from collections import OrderedDict
from typing import NamedTuple

from haystack.dns import wire
from haystack.dns.forward import rewriting

BYTES = 8 << 20
DAY = 86_400
# Longest lifetime; clients may keep an answer for as long as its TTL says.
LONGEST = DAY
# RFC 8767 section 5: between one and three days.
STALE = DAY
# Of an entry, beside its octets: the objects, its place in the table, and the keys (tests/unit/dns/forward/test_cache.py measures it).
OVERHEAD = 640
_NOBODY = -1  # the type under which it is kept that a name is not there
_HOT = 3  # answers from one entry, after which it is worth a question before its time
_EARLY = 10  # the last tenth of a lifetime


class Answer(NamedTuple):
    """What a nameserver answered. leads: the name of ours that its CNAMEs lead to, which we answer ourselves; server: which one."""

    packed: wire.Packed
    lifetime: int
    leads: bytes = b""
    server: str = ""


class Key(NamedTuple):
    """What an answer depends on: DO and CD change what a nameserver says."""

    name: bytes
    qtype: int
    do: bool
    cd: bool


def key_of(query: wire.Query) -> Key:
    """The key of a query's answer."""
    return Key(query.key, query.qtype, query.do, bool(query.flags & wire.CD))


class Entry:
    """One answer that is kept. Offsets as 16 bits each: a tuple of numbers would be ten times as large."""

    __slots__ = ("_body", "_counts", "_flags", "_offsets", "expires", "leads", "lifetime", "server", "since", "used")

    def __init__(self, answer: Answer, now: float) -> None:
        packed = answer.packed
        self._flags, self._body, self._counts = packed.flags, packed.body, packed.counts
        self._offsets = struct.pack(f"={2 * len(packed.ends)}H", *packed.ends, *packed.ttls)
        self.leads, self.server = answer.leads, answer.server
        self.since = now
        self.lifetime = min(answer.lifetime, LONGEST)
        self.expires = now + self.lifetime
        self.used = 0

    @property
    def size(self) -> int:
        """Octets."""
        return len(self._body) + len(self._offsets) + len(self.leads) + OVERHEAD

    @property
    def denies(self) -> bool:
        """Whether it says that the name asked for is not there. With CNAMEs it is another name that is not."""
        return self._flags & 0x000F == wire.NXDOMAIN and not self._counts[0]

    def left(self, now: float) -> int:
        """Whole seconds of its lifetime; 0 or less: it is stale."""
        return self.lifetime - int(now - self.since)

    def answer(self, now: float) -> Answer:
        """As it is now: TTLs less by its age."""
        return Answer(wire.aged(self._packed(), int(now - self.since)), self.left(now), self.leads, self.server)

    def stale(self, ttl: int) -> Answer:
        """Past its lifetime: each TTL is this one."""
        packed = self._packed()
        body = bytearray(packed.body)
        for at in packed.ttls:
            struct.pack_into("!I", body, at, ttl)
        return Answer(packed._replace(body=bytes(body)), 0, self.leads, self.server)

    def _packed(self) -> wire.Packed:
        offsets = struct.unpack(f"={len(self._offsets) // 2}H", self._offsets)
        half = len(offsets) // 2
        return wire.Packed(self._flags, self._body, offsets[:half], self._counts, offsets[half:])

    def is_due(self, now: float) -> bool:
        """Whether it is asked for often and about to expire: the next one may be fetched now."""
        return self.used >= _HOT and self.is_old(now)

    def is_old(self, now: float) -> bool:
        """Whether the last tenth of its lifetime has begun."""
        return (now - self.since) * _EARLY >= self.lifetime * (_EARLY - 1)


class Cache:
    """Answers by question, those first to go that were not asked for longest. most: bytes, all of an entry counted."""

    def __init__(self, most: int = BYTES) -> None:
        self._most = most
        self._entries: OrderedDict[Key, Entry] = OrderedDict()
        self._denials = 0
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._entries)

    def entry(self, key: Key, now: float) -> Entry | None:
        """The answer for this very name, fresh or stale: that for its type before that for all types."""
        found = self._entries.get(key)
        if found is not None and now < found.expires:
            self._entries.move_to_end(key)
            return found
        found = None
        for each in (key, key._replace(qtype=_NOBODY)):
            entry = self._entries.get(each)
            if entry is None:
                continue
            if now >= entry.expires + STALE:
                self._drop(each)
            elif found is None or now >= found.expires:
                found = entry
                self._entries.move_to_end(each)
        return found

    def denied_above(self, key: Key, domain: bytes, now: float) -> Answer | None:
        """NXDOMAIN for a name below one that is not there. Not for who asks for proofs: those are about the name above.

        domain: above it other nameservers are asked, and what they say does not hold here.
        """
        if key.do or not self._denials:
            return None
        for above in wire.parents(key.name):
            if len(above) < len(domain):
                break
            entry = self._entries.get(Key(above, _NOBODY, key.do, key.cd)) if above != key.name else None
            if entry is not None and now < entry.expires:
                answer = entry.answer(now)
                return answer._replace(packed=rewriting.denial(answer.packed, above))
        return None

    def keep(self, key: Key, answer: Answer, now: float) -> None:
        """In the place of an older one. What has no lifetime is not kept."""
        if answer.lifetime <= 0:
            return
        entry = Entry(answer, now)
        if entry.denies:
            self._drop(key)
            key = key._replace(qtype=_NOBODY)
        else:
            for above in wire.parents(key.name) if self._denials else ():
                self._drop(key._replace(name=above, qtype=_NOBODY))  # it is there, and so is all above it
        self._drop(key)
        self._put(key, entry)

    def _put(self, key: Key, entry: Entry) -> None:
        self._entries[key] = entry
        self._denials += key.qtype == _NOBODY
        self.bytes += entry.size + len(key.name)
        while self.bytes > self._most:
            self._drop(next(iter(self._entries)))

    def clear(self) -> None:
        """Forget all of it."""
        self._entries.clear()
        self._denials = self.bytes = 0

    def _drop(self, key: Key) -> None:
        entry = self._entries.pop(key, None)
        if entry is not None:
            self._denials -= key.qtype == _NOBODY
            self.bytes -= entry.size + len(key.name)
