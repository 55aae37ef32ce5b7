"""How many file descriptors a process may have, and how they are shared out among its rooms.

The rooms of a process add up to less than its limit, so that none takes what another needs: whoever fills one of them leaves the control
process enough to start workers, to hand over to a successor and to read its files. Pure, but for `raised`.
"""

from __future__ import annotations

import errno
import os
import resource
from typing import NamedTuple

RESERVE = 32  # of the control process: a worker's start (10), a handover, files that are read, connections that are being turned away
BASE = 32  # of the control process: loop, pipes, logs, the control socket
ENGINE = 12  # connections to one engine
WORKER = 14  # of each worker in the control process: its channel, its stack file, its end of sockets to listen on
LEAST = 4  # of any room
OWN = 72  # of a worker: loop, channel, and connections to the control process, which have a reserve of their own
ADMIN = 32  # of these
LISTENER = 3  # of a worker for each listening socket: the one lent, its own copy, a spare one
PIPES = 512
DNS = 128
SHORTAGES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})  # nobody else is to blame for these


NO_THREAD = "can't start new thread"  # CPython has no class of its own for this


def shortage(error: Exception) -> str:
    """What the system has no more of, and what to do; empty where that is not what went wrong."""
    if isinstance(error, OSError) and error.errno in SHORTAGES:
        return f"{os.strerror(error.errno).lower()}: raise `ulimit -n` (`docker run --ulimit nofile=65536`), or the memory"
    if isinstance(error, RuntimeError) and str(error) == NO_THREAD:
        return f"{NO_THREAD}: raise the limit of processes (`ulimit -u`, or --pids-limit of docker run)"
    return ""


class Rooms(NamedTuple):
    """What each room of the control process may have open at once.

    api: connections of workers; ssh: of clients; questions: to nameservers; probes, looks: at endpoints, of the background too.
    """

    api: int
    ssh: int
    questions: int
    probes: int
    looks: int


class Shares(NamedTuple):
    """What a worker may have open at once: clients, connections to endpoints, pipes, and clients of DNS over TCP."""

    clients: int
    endpoints: int
    pipes: int
    dns: int


def raised() -> int:
    """This process's limit, which is from now on what the system allows at most."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most


def allowed() -> int:
    """The limit that `raised` will set."""
    return resource.getrlimit(resource.RLIMIT_NOFILE)[1]


def needed(workers: int, engines: int, sockets: int) -> int:
    """The lowest limit with which Haystack starts, every room as small as can be. sockets: that each worker listens on."""
    rooms = LEAST * len(Rooms._fields)
    return max(BASE + RESERVE + ENGINE * engines + WORKER * (workers + 1) + rooms, OWN + LISTENER * sockets + LEAST)


def control(limit: int, workers: int, engines: int) -> Rooms:
    """The rooms of a control process with this limit: as large as any needs to be, or all smaller by the same factor."""
    wanted = Rooms(ADMIN * workers, ssh=100, questions=1000, probes=128, looks=320)
    free = limit - BASE - RESERVE - ENGINE * engines - WORKER * (workers + 1)
    if free >= sum(wanted):
        return wanted
    return Rooms(*(max(LEAST, free * each // sum(wanted)) for each in wanted))


def worker(limit: int, sockets: int, clients: int) -> Shares:
    """The shares of a worker that lends so many listening sockets. clients: as many as are wanted; 0: any number.

    Each client that is served has an endpoint's connection: there are never fewer of these than of clients.
    """
    free = limit - OWN - LISTENER * sockets
    pipes = min(PIPES, max(0, free // 16))
    dns = min(DNS, max(1, free // 16))
    rest = max(2, free - 2 * pipes - dns)
    admitted = min(clients or rest, rest // 2)
    return Shares(admitted, rest - admitted, pipes, dns)
