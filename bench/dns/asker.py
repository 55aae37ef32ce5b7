"""`python -m bench.dns.asker PORT SECONDS RATE PID…`: asks DNS questions one after the other, and prints how long each answer took.

Names come on standard input, one a line. An answer's time is from just before the question is sent until the kernel has the answer
(SO_TIMESTAMPNS, socket(7)): when this program is run again does not count. For each time PID… (the workers) and this program waited for a
processor meanwhile is taken off, for a machine may do other things as well; both are told.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import struct
import sys
import time

from haystack.dns import wire

TIMESTAMPS = 35  # SO_TIMESTAMPNS, and the kind of message that it makes
TIMESPEC = struct.Struct("=qq")
PATIENCE = 2.0
KEPT = 4096


class Waits:
    """Nanoseconds for which some processes have waited for a processor: the second number of /proc/PID/schedstat (proc(5))."""

    def __init__(self, pids: list[str]) -> None:
        self._files = [os.open(f"/proc/{pid}/schedstat", os.O_RDONLY) for pid in pids]

    def __call__(self) -> int:
        """So far."""
        return sum(int(os.pread(fd, 64, 0).split()[1]) for fd in self._files)


class Asker:
    """took: milliseconds of each answer; net: the same without what the machine took."""

    def __init__(self, port: int, names: list[str], waits: Waits) -> None:
        self.took: list[float] = []
        self.net: list[float] = []
        self.lost = 0
        self._questions = [wire.question(wire.name(name), wire.A)[2:] for name in names]
        self._waits = waits
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, TIMESTAMPS, 1)
        self._socket.settimeout(PATIENCE)
        self._socket.connect(("127.0.0.1", port))

    def ask(self, number: int) -> None:
        """One question, and its answer."""
        ident = (number & 0xFFFF).to_bytes(2, "big")
        waited, began = self._waits(), time.time_ns()
        self._socket.send(ident + self._questions[number % len(self._questions)])
        try:
            came = self._answer(ident)
        except TimeoutError:
            self.lost += 1
            return
        waited = self._waits() - waited
        self.took.append((came - began) / 1e6)
        self.net.append(max(0, came - began - waited) / 1e6)

    def _answer(self, ident: bytes) -> int:
        """When the answer came. Raises TimeoutError."""
        while True:
            data, ancillary, _, _ = self._socket.recvmsg(KEPT, 128)
            if data[:2] == ident:
                seconds, nanoseconds = TIMESPEC.unpack(ancillary[0][2][: TIMESPEC.size])
                return int(seconds * 10**9 + nanoseconds)

    def told(self) -> dict[str, float]:
        """All of it in numbers."""
        net = sorted(self.net)
        found = {"asked": len(net) + self.lost, "lost": self.lost}
        if not net:
            return found
        return found | {"p999_ms": net[int(len(net) * 0.999)], "slowest_ms": net[-1], "slowest_by_the_clock_ms": max(self.took)}


def main(port: int, seconds: float, rate: float, pids: list[str]) -> None:
    """Until the time is over."""
    asker = Asker(port, sys.stdin.read().split(), Waits([*pids, "thread-self"]))
    number, end = 0, time.monotonic() + seconds
    with contextlib.suppress(KeyboardInterrupt):
        while time.monotonic() < end:
            asker.ask(number)
            number += 1
            time.sleep(1 / rate)  # the rate is what this is for
    print(json.dumps(asker.told()))


if __name__ == "__main__":
    main(int(sys.argv[1]), float(sys.argv[2]), float(sys.argv[3]), sys.argv[4:])
