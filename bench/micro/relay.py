"""`python -m bench.micro.relay`: bytes a second through one exchange in this process, client and endpoint on unix sockets.

Only the data plane's turns are timed (epoll, reads, framing, writes), not the two ends that this script plays; the best of the rounds.
GB/s (10^9 bytes of body), one core, user and system time alike.
"""

from __future__ import annotations

import time

from tests.fuzz.rig import End, Places, Rig

ROUNDS = 5
SIZE = 32 << 20
PIECE = b"x" * (128 << 10)
CHUNK = b"%x\r\n%s\r\n" % (len(PIECE), PIECE)
DOWN = b"GET / HTTP/1.1\r\nHost: 1\r\n\r\n"
UP = b"POST / HTTP/1.1\r\nHost: 1\r\n"
LENGTH = b"Content-Length: %d\r\n\r\n" % SIZE
CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"
STATUS = b"HTTP/1.1 200 OK\r\n"


class Timed:
    """A rig whose worker is timed, and whose ends forget what they see. spent: seconds in the worker; ends: in ours."""

    def __init__(self, places: Places) -> None:
        self.rig = Rig(places)
        self.spent = 0.0

    def settle(self) -> None:
        """Let the worker work until it waits for us, and count the time it takes."""
        moved = True
        while moved:
            start = time.perf_counter()
            moved = self.rig.loop.turn()
            self.spent += time.perf_counter() - start
            moved = self.rig.look() or moved
            for end in (*self.rig.clients, *self.rig.endpoints):
                end.seen.clear()

    def pour(self, end: End, piece: bytes, count: int) -> None:
        """Send piece so many times, as fast as the socket takes it."""
        left = memoryview(piece * count)
        while left:
            before = len(end.sent)
            end.send(left[: 1 << 18])
            left = left[len(end.sent) - before :]
            end.sent.clear()
            self.settle()


def seconds(places: Places, head: bytes, answer: bytes, piece: bytes, *, up: bool) -> float:
    """What the worker spends on SIZE bytes: of a request's body, or of a response's."""
    timed = Timed(places)
    client = timed.rig.client()
    client.send(head)
    timed.settle()
    if not up:
        timed.rig.endpoint().send(answer)
    timed.spent = 0.0
    timed.pour(client if up else timed.rig.endpoint(), piece, SIZE // len(PIECE))
    found = timed.spent
    timed.rig.close()
    return found


CASES: dict[str, tuple[bytes, bytes, bytes, bool]] = {
    "down, by length": (DOWN, STATUS + LENGTH, PIECE, False),
    "down, chunked": (DOWN, STATUS + CHUNKED, CHUNK, False),
    "up, by length": (UP + LENGTH, b"", PIECE, True),
    "up, chunked": (UP + CHUNKED, b"", CHUNK, True),
}


def main() -> None:
    """Measure and print."""
    places = Places()
    print(f"| relay of {SIZE >> 20} MiB | GB/s |\n| --- | --- |")
    try:
        for name, (head, answer, piece, up) in CASES.items():
            best = min(seconds(places, head, answer, piece, up=up) for _ in range(ROUNDS))
            print(f"| {name} | {SIZE / best / 1e9:.2f} |")
    finally:
        places.close()


if __name__ == "__main__":
    main()
