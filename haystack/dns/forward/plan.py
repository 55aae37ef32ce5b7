"""When a question goes to which nameserver: the first at once, again after a while, then to the next ones too.

Pure: times come in, servers come out. A lost datagram is sent again to the same server before another one is asked, so that it costs
a moment and the order stays what it is. race.py sends.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Generic, TypeVar

from haystack.dns.forward.times import Times

Server = TypeVar("Server", bound=Hashable)


class Plan(Generic[Server]):
    """One question's. servers: in the order in which they are to be asked; begun: now; until: when it is given up."""

    def __init__(self, servers: Sequence[Server], begun: float, until: float, times: Times) -> None:
        self._left = list(servers)
        self._asked: set[Server] = set()
        self._steps = [begun + after for after in times.resend if begun + after < until]
        self._step = 0
        self._next_at_once = True
        self._until = until

    @property
    def over(self) -> bool:
        """Whether every server has failed."""
        return not self._left

    def due(self, now: float) -> list[Server]:
        """To whom the question is sent now, for the first time or again."""
        found: list[Server] = []
        if self._next_at_once:
            self._next_at_once = False
            found += [each for each in self._left if each not in self._asked][:1]
        while self._left and self._step < len(self._steps) and self._steps[self._step] <= now:
            found += self._resent(self._step)
            self._step += 1
        return list(dict.fromkeys(found))

    def _resent(self, step: int) -> list[Server]:
        """First the same one again; then two at a time, further down the list."""
        count = len(self._left)
        return [self._left[0]] if step == 0 else [self._left[(step - 1) % count], self._left[step % count]]

    def wake(self) -> float:
        """When there is something to do next, if nobody answers."""
        if self._next_at_once:
            return 0.0
        return self._steps[self._step] if self._step < len(self._steps) else self._until

    def asked(self, server: Server) -> None:
        """The question is with that server now."""
        self._asked.add(server)

    def failed(self, server: Server) -> None:
        """That server is of no use for this question: the next one is asked at once."""
        if server in self._left:
            self._left.remove(server)
            self._next_at_once = True
