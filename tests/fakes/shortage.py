"""A process without file descriptors."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def descriptors() -> set[int]:
    """Those that are open: not the one by which they are listed."""
    return {int(each.name) for each in list(Path("/proc/self/fd").iterdir()) if each.is_symlink()}


@contextmanager
def no_more_descriptors() -> Iterator[None]:
    """Nobody in this process gets another one meanwhile, but for those that it closes."""
    old = resource.getrlimit(resource.RLIMIT_NOFILE)
    open_now = descriptors()
    lowest = next(n for n in range(old[0]) if n not in open_now)
    resource.setrlimit(resource.RLIMIT_NOFILE, (lowest, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, old)
