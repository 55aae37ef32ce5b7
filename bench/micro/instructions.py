"""`python -m bench.micro.instructions`: machine instructions that a worker's compiled functions need for an exchange, by valgrind.

Counted, not timed: the same on a busy machine as on a quiet one, so that a change of some percent can be told. Needs valgrind. One client
and one endpoint keep their connections; two runs of different length are subtracted, so that the start does not count. Functions of libc
(memcpy, malloc, system calls) are left out, for this script's own use of them can't be told from the worker's.

With an access log or spans, the second table has all instructions of the process beyond those without: libc, the interpreter, and what the
worker packs for the control process with its tick. What the kernel does is in neither.
"""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import msgspec

from bench.macro.peers import program
from bench.macro.scenarios import HEADERS
from haystack._fast.log.access_line import Log
from haystack.proxy import ipc, worker_traces
from tests.fuzz.rig import Places, Rig
from tests.fuzz.service import Manner

FEW, MANY = 2000, 6000
SHOWN = 15
LONG = 60_000
SHORT = b"GET / HTTP/1.1\r\nHost: 1.2.3.4\r\n\r\n"
WORKS = {"keepalive": SHORT, "headers": SHORT[:-2] + "".join(f"{line}\r\n" for line in HEADERS).encode() + b"\r\n"}
BODY = b"x" * 66
ANSWER = (
    b"HTTP/1.1 200 OK\r\nServer: nginx/1.22.1\r\nDate: Sun, 29 Nov 2026 10:18:34 GMT\r\nContent-Type: text/plain\r\n"
    b"Content-Length: 66\r\nConnection: keep-alive\r\n\r\n" + BODY
)
LISTENER = "http:80"
TICK = 2000  # exchanges between two: of 20,000 a second
PACKED = msgspec.msgpack.Encoder()
# what tells of exchanges: the form of the access log, and the share of requests with spans
TELLING = {
    "nothing": ("", 0.0),
    "access log, json": ("json", 0.0),
    "access log, ecs": ("ecs", 0.0),
    "access log, common": ("common", 0.0),
    "spans of 1 %": ("", 0.01),
    "access log, json, and spans of 1 %": ("json", 0.01),
    "spans of all": ("", 1.0),
}
# of a function's own file, or of a header with a part of it that was inlined there
LINE = re.compile(r"^\s*([\d,]+) [^=]*?:__pyx_(?:f|pf|pw)_\w*?_fast_(\w+)[\w.]*(?: \[|$)")
TOTAL = re.compile(r"^\s*([\d,]+) .*PROGRAM TOTALS", re.MULTILINE)


class Count(NamedTuple):
    """Instructions: of each compiled function, and of all that the process has done."""

    functions: Counter[str]
    all: int


def exchanges(work: str, telling: str, count: int) -> None:
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
    form, share = TELLING[telling]
    if form:
        rig.worker.log = Log(form, 0, [LISTENER])
    if share:
        rig.worker.traces.spans.sample(share, True, [LISTENER])
    for number in range(count):
        client.sock.send(WORKS[work])
        received(rig, endpoint.sock)
        endpoint.sock.send(ANSWER)
        if not received(rig, client.sock).endswith(BODY):
            raise RuntimeError("not the endpoint's answer")
        if number % TICK == TICK - 1:
            tick(rig)


def tick(rig: Rig) -> None:
    """Pack what the control process is told, as a worker does."""
    for message in worker_traces.messages(rig.worker.traces, 0, lambda _port: LISTENER):
        PACKED.encode(message)
    if rig.worker.log is not None and (taken := rig.worker.log.take()):
        PACKED.encode(ipc.Lines(memoryview(taken[0]), *taken[1:]))


def received(rig: Rig, sock: socket.socket) -> bytes:
    """What comes next. RuntimeError: nothing does."""
    for _ in range(50):
        rig.loop.turn()
        try:
            return sock.recv(65536)
        except BlockingIOError:
            continue
    raise RuntimeError("nothing comes")


def counted(work: str, telling: str, count: int) -> Count:
    """Instructions of a process that does so many exchanges."""
    with tempfile.TemporaryDirectory() as folder:
        told = Path(folder) / "told"
        command = [sys.executable, "-m", "bench.micro.instructions", work, telling, str(count)]
        valgrind = [program("valgrind"), "--quiet", "--tool=callgrind", f"--callgrind-out-file={told}", *command]
        subprocess.run(valgrind, check=True, env=os.environ | {"PYTHONHASHSEED": "0"})
        annotate = [program("callgrind_annotate"), "--threshold=100", "--auto=no", str(told)]
        text = subprocess.run(annotate, check=True, capture_output=True, text=True).stdout
    found: Counter[str] = Counter()
    for line in text.splitlines():
        if match := LINE.match(line):
            found[match[2]] += number_of(match[1])
    total = TOTAL.search(text)
    if total is None:
        raise RuntimeError("callgrind tells no total")
    return Count(found, number_of(total[1]))


def number_of(digits: str) -> int:
    """Of digits with commas between."""
    return int(digits.replace(",", ""))


def of_one(work: str, telling: str) -> tuple[Counter[str], float]:
    """Instructions of one exchange: of each compiled function, and in all, with this script's own."""
    few, many = counted(work, telling, FEW), counted(work, telling, MANY)
    each: Counter[str] = Counter()
    for name in many.functions:
        each[name] = (many.functions[name] - few.functions[name]) / (MANY - FEW)  # type: ignore[assignment]
    return each, (many.all - few.all) / (MANY - FEW)


def main() -> None:
    """Print a table for each work, and one of what tells of exchanges."""
    for work in WORKS:
        each, _ = of_one(work, "nothing")
        print(f"\n## instructions of compiled functions, {work}: {sum(each.values()):.0f} an exchange\n")
        print("| function | instructions |\n| --- | --- |")
        for name, count in each.most_common(SHOWN):
            print(f"| {name} | {count:.0f} |")
    _, least = of_one("keepalive", "nothing")
    print("\n## with an access log and spans, keepalive\n")
    print("| on | compiled functions | in all beyond nothing |\n| --- | --- | --- |", flush=True)
    for telling in TELLING:
        each, total = of_one("keepalive", telling)
        print(f"| {telling} | {sum(each.values()):.0f} | {total - least:.0f} |", flush=True)


if __name__ == "__main__":
    if len(sys.argv) == 4:
        exchanges(sys.argv[1], sys.argv[2], int(sys.argv[3]))
    else:
        main()
