"""Freed memory that stays with the process, for those that need large blocks ten times a second."""

from __future__ import annotations

import contextlib

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
KEPT = 16 * 1024 * 1024  # bytes


def keep() -> None:
    """Keep up to so much of what is freed: mallopt(3). Else each batch of lines would be given back to the kernel, and be new pages again.

    The kernel clears each of them first: at 20,000 lines a second that cost more than all else that is done with a line. Where malloc is
    not glibc's, nothing changes.
    """
    import ctypes  # noqa: PLC0415 - a worker, which may import nothing late, has _fast/util/kernel.pyx: this would take a third of a MiB

    with contextlib.suppress(AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_TRIM_THRESHOLD, KEPT)
        mallopt(M_MMAP_THRESHOLD, KEPT)
