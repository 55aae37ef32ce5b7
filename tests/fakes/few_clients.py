"""A service in simulated time that few clients use: each asks again once it was answered, so all of them may wait at the same endpoint."""

from __future__ import annotations

import asyncio

from haystack._fast.exchange.testing import Attempt
from tests.fakes.world import Spell, World

REST = 0.002  # seconds between an answer and a client's next request, or so


class FewClients(World):
    """clients: of each worker's, how many; slow: seconds that each client's slow request takes, and how often it comes, one of so many."""

    def __init__(self, seed: int, clients: tuple[int, ...], spells: list[Spell], limit: float, slow: tuple[float, int] = (0.0, 0)) -> None:
        super().__init__(seed, "p2c", [100] * 4, spells, 1.0, limit)
        self.clients, self.slow = clients, slow
        self.asking: dict[int, tuple[int, int, float]] = {}  # by the request's key: the worker, which request of the client's, when
        self.waited: list[tuple[float, bool]] = []  # seconds that each request took, and whether it is a slow one
        self.moved: list[bool] = []  # of each slow request, whether it was sent again

    async def ask(self, end: float) -> None:
        """Each client begins, and goes on by itself."""
        for worker, count in enumerate(self.clients):
            for _ in range(count):
                self.next(worker, 0)
        await asyncio.sleep(end - self.now)

    def next(self, worker: int, number: int) -> None:
        """A client's request with this number."""
        key = self.random.getrandbits(64)
        self.asking[key] = worker, number, self.now
        attempt = self.workers[worker].request(key)
        assert attempt is not None

    def is_slow(self, attempt: Attempt) -> bool:
        """Whether it takes long wherever it is sent."""
        return self.slow[1] > 0 and self.asking[attempt.key][1] % self.slow[1] == self.slow[1] - 1

    def work(self, attempt: Attempt, manner: str) -> float:
        """Slow requests are slow at each endpoint that answers."""
        return self.slow[0] if self.is_slow(attempt) and manner == "well" else super().work(attempt, manner)

    def over(self, attempt: Attempt) -> None:
        """The client asks again."""
        worker, number, begun = self.asking[attempt.key]
        self.waited.append((self.now - begun, self.is_slow(attempt)))
        if self.is_slow(attempt):
            self.moved.append(attempt.repeats > 0)
        del self.asking[attempt.key]
        if self.now < self.end:
            self.loop.call_later(REST * self.random.uniform(0.5, 1.5), self.next, worker, number + 1)
