"""`python -m bench.micro.instructions`: machine instructions that a worker's compiled functions need for an exchange, by valgrind.

Counted, not timed: the same on a busy machine as on a quiet one, so that a change of some percent can be told. Needs valgrind. One client
and one endpoint keep their connections; two runs of different length are subtracted, so that the start does not count. Functions of libc
(memcpy, malloc, system calls) are left out, for this script's own use of them can't be told from the worker's.
"""

from __future__ import annotations

import re
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

from bench.macro.peers import program
from bench.macro.scenarios import HEADERS
from tests.fuzz.rig import Places, Rig
from tests.fuzz.service import Manner

FEW, MANY = 200, 2200
SHOWN = 15
LONG = 60_000
SHORT = b"GET / HTTP/1.1\r\nHost: 1.2.3.4\r\n\r\n"
WORKS = {"keepalive": SHORT, "headers": SHORT[:-2] + "".join(f"{line}\r\n" for line in HEADERS).encode() + b"\r\n"}
BODY = b"x" * 66
ANSWER = (
    b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sun, 29 Nov 2026 10:18:34 GMT\r\nContent-Type: text/plain\r\n"
    b"Content-Length: 66\r\nConnection: keep-alive\r\n\r\n" + BODY
)
# of a function's own file, or of a header with a part of it that was inlined there
LINE = re.compile(r"^\s*([\d,]+) [^=]*?:__pyx_(?:f|pf|pw)_\w*?_fast_(\w+)[\w.]*(?: \[|$)")


def exchanges(work: str, count: int) -> None:
    """Have a worker in this process do so many."""
    times = dict.fromkeys(("head_ms", "idle_ms", "connect_ms", "tunnel_ms", "pool_ms", "queue_ms"), LONG)
    rig = Rig(Places(), **times, pool_size=8, pool_age_ms=0, max_head=1 << 16, max_headers=100)
    rig.service.timeout_ms = LONG
    rig.service.change(1, Manner(0))
    client = rig.connect()
    client.send(WORKS[work])
    rig.settle()
    (endpoint,) = rig.endpoints
    endpoint.send(ANSWER)
    rig.settle()
    for _ in range(count):
        client.sock.send(WORKS[work])
        received(rig, endpoint.sock)
        endpoint.sock.send(ANSWER)
        if not received(rig, client.sock).endswith(BODY):
            raise RuntimeError("not the endpoint's answer")


def received(rig: Rig, sock: socket.socket) -> bytes:
    """What comes next. RuntimeError: nothing does."""
    for _ in range(50):
        rig.loop.turn()
        try:
            return sock.recv(65536)
        except BlockingIOError:
            continue
    raise RuntimeError("nothing comes")


def counted(work: str, count: int) -> Counter[str]:
    """Instructions by function, of a process that does so many exchanges."""
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "told"
        command = [sys.executable, "-m", "bench.micro.instructions", work, str(count)]
        subprocess.run([program("valgrind"), "--quiet", "--tool=callgrind", f"--callgrind-out-file={told}", *command], check=True)
        annotate = [program("callgrind_annotate"), "--threshold=100", "--auto=no", str(told)]
        text = subprocess.run(annotate, check=True, capture_output=True, text=True)
    found: Counter[str] = Counter()
    for line in text.stdout.splitlines():
        if match := LINE.match(line):
            found[match[2]] += int(match[1].replace(",", ""))
    return found


def main() -> None:
    """Print a table for each work."""
    for work in WORKS:
        few, many = counted(work, FEW), counted(work, MANY)
        each = {name: (many[name] - few[name]) / (MANY - FEW) for name in many}
        print(f"\n## instructions of compiled functions, {work}: {sum(each.values()):.0f} an exchange\n")
        print("| function | instructions |\n| --- | --- |")
        for name, count in sorted(each.items(), key=lambda item: -item[1])[:SHOWN]:
            print(f"| {name} | {count:.0f} |")


if __name__ == "__main__":
    if len(sys.argv) == 3:
        exchanges(sys.argv[1], int(sys.argv[2]))
    else:
        main()
