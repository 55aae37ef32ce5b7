"""python -m bench.micro.splice: CPU of moving a large body from socket to socket, through memory and by splice(2).

Both relays are the same plain loop over system calls, as the worker would make them: the difference is the calls'. One process relays, two
others send and sink. Prints microseconds of user and system time a MiB of the relaying process alone, medians of alternating rounds.
"""

from __future__ import annotations

import fcntl
import os
import resource
import select
import socket
import statistics
from collections.abc import Callable

MIB = 1 << 20
TOTAL = 512 * MIB
ROUNDS = 5
SCRATCH = 128 * 1024  # the worker's
PIPE = 1 << 20  # the most that an unprivileged pipe may hold, as a rule
SPLICE_F_MOVE, SPLICE_F_NONBLOCK = 1, 2


def pair() -> tuple[socket.socket, socket.socket]:
    """Two ends of a TCP connection over loopback."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        near = socket.create_connection(server.getsockname())
        return near, server.accept()[0]


def child(work: Callable[[], None]) -> int:
    """Run work in a process of its own; its pid."""
    pid = os.fork()
    if pid == 0:
        work()
        os._exit(0)
    return pid


def feed(sock: socket.socket) -> None:
    """Send TOTAL bytes."""
    block = bytes(MIB)
    for _ in range(TOTAL // MIB):
        sock.sendall(block)


def sink(sock: socket.socket) -> None:
    """Read to the end."""
    block = bytearray(MIB)
    while sock.recv_into(block):
        pass


def wait(sock: socket.socket, what: int) -> None:
    """Until the socket can be read or written."""
    poll = select.poll()
    poll.register(sock, what)
    poll.poll()


def copied(source: socket.socket, target: socket.socket) -> None:
    """Through SCRATCH bytes of memory, every read being sent before the next."""
    block = memoryview(bytearray(SCRATCH))
    moved = 0
    while moved < TOTAL:
        try:
            n = source.recv_into(block)
        except BlockingIOError:
            wait(source, select.POLLIN)
            continue
        moved += n
        sent = 0
        while sent < n:
            try:
                sent += target.send(block[sent:n])
            except BlockingIOError:
                wait(target, select.POLLOUT)


def spliced(source: socket.socket, target: socket.socket) -> None:
    """Through a pipe: the pages change hands and are not copied where the kernel can do so."""
    out, into = os.pipe()
    os.set_blocking(out, False)
    os.set_blocking(into, False)
    fcntl.fcntl(into, fcntl.F_SETPIPE_SZ, PIPE)
    flags = SPLICE_F_MOVE | SPLICE_F_NONBLOCK
    moved = held = 0
    while moved < TOTAL or held:
        if not held:
            try:
                held = os.splice(source.fileno(), into, PIPE, flags=flags)
                moved += held
            except BlockingIOError:
                wait(source, select.POLLIN)
            continue
        try:
            held -= os.splice(out, target.fileno(), held, flags=flags)
        except BlockingIOError:
            wait(target, select.POLLOUT)
    os.close(out)
    os.close(into)


def measure(relay: Callable[[socket.socket, socket.socket], None]) -> float:
    """Microseconds of CPU a MiB."""
    near, source = pair()
    target, far = pair()
    pids = [child(lambda: feed(near)), child(lambda: (target.close(), sink(far))[1])]
    near.close()
    far.close()
    source.setblocking(False)
    target.setblocking(False)
    before = resource.getrusage(resource.RUSAGE_SELF)
    relay(source, target)
    after = resource.getrusage(resource.RUSAGE_SELF)
    source.close()
    target.close()
    for pid in pids:
        os.waitpid(pid, 0)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return used * 1e6 / (TOTAL / MIB)


def main() -> None:
    """Alternate, and print the medians."""
    rows: dict[str, list[float]] = {"copied": [], "spliced": []}
    for _ in range(ROUNDS):
        rows["copied"].append(measure(copied))
        rows["spliced"].append(measure(spliced))
    for name, values in rows.items():
        print(f"{name}: {statistics.median(values):.0f} µs a MiB ({min(values):.0f} to {max(values):.0f})")


if __name__ == "__main__":
    main()
