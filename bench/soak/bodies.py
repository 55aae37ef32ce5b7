"""Bodies that both ends know: any byte of any body follows from its seed. Pure.

A body is a stretch of one random block, from a place that its seed gives, and round again from its start. Two bodies that
were mixed up, a piece that is missing, doubled or moved: each differs from what the seed says within a few bytes.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

LENGTH = 1_000_003
PIECE = 64 * 1024
_BLOCK = random.Random(1).randbytes(LENGTH)
_ROUND = _BLOCK + _BLOCK[:PIECE]


class WrongBodyError(Exception):
    """A body that is not what its seed says."""


def piece(seed: int, at: int, size: int) -> bytes:
    """Bytes `at` to `at + size` of the body of that seed; PIECE at most."""
    begin = (seed * 7919 + at) % LENGTH
    return _ROUND[begin : begin + size]


def pieces(seed: int, size: int, step: int = PIECE) -> Iterator[bytes]:
    """The whole body of `size` bytes, `step` at a time."""
    for at in range(0, size, step):
        yield piece(seed, at, min(step, size - at))


@dataclass
class Check:
    """Compares a body with its seed as it comes."""

    seed: int
    seen: int = 0

    def feed(self, data: bytes) -> None:
        """The next bytes. Raises WrongBodyError."""
        for begin in range(0, len(data), PIECE):
            part = data[begin : begin + PIECE]
            if part != piece(self.seed, self.seen, len(part)):
                raise WrongBodyError(f"seed {self.seed}: wrong within bytes {self.seen} to {self.seen + len(part)}")
            self.seen += len(part)

    def end(self, size: int) -> None:
        """The body is over. Raises WrongBodyError where it had another size."""
        if self.seen != size:
            raise WrongBodyError(f"seed {self.seed}: {self.seen} bytes instead of {size}")


@dataclass(frozen=True)
class Order:
    """What a request asks of the origin; its target says it all. up, down: bytes of the request's and the response's body.

    manner: letters. c: response in chunks; t: with a trailer too; i: 103 first; x: ``Connection: close``; q: close without a word.
    """

    seed: int
    up: int = 0
    down: int = 0
    manner: str = ""

    @property
    def target(self) -> str:
        """The request's target."""
        return f"/{self.seed}/{self.up}/{self.down}/{self.manner}"

    @property
    def answer_seed(self) -> int:
        """The seed of the response's body: never that of the request's."""
        return self.seed + 500_000_001

    @classmethod
    def read(cls, target: str) -> Order:
        """The order of a target. Raises ValueError."""
        _, seed, up, down, manner = target.split("/")
        return cls(int(seed), int(up), int(down), manner)
