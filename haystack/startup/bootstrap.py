"""What a start does before the rest of it is imported: the log, who goes on, and the workers' processes.

Those import what they need on other CPUs meanwhile, and wait for their sockets. Never says what a worker is to do.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from haystack.observe import logs
from haystack.proxy import account
from haystack.proxy.spawn import WorkerProcess, spawn
from haystack.settings.settings import Settings
from haystack.startup import checks, unprivileged


@contextlib.contextmanager
def begun(settings: Settings, *, replace: bool = False) -> Iterator[list[WorkerProcess]]:
    """The workers' processes, to be taken out by who has work for them; those that are left at the end are ended.

    replace: another Haystack is to be replaced. Then there are none yet: it, of an older version perhaps, is root and trusts nobody else.
    """
    logs.configure(settings.log_level, settings.log_format)
    checks.tell(settings)
    processes: list[WorkerProcess] = []
    if not replace:
        unprivileged.go_on(settings)
        with contextlib.suppress(OSError):  # the supervisor tries again, and tells
            processes.extend(spawn(account.account()) for _ in range(settings.workers))  # those that have begun stay where the next can't
    try:
        yield processes
    finally:
        for each in processes:
            each.drop()
