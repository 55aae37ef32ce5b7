"""Who of several Haystacks with one state folder talks to the authority: the one that has the lease.

A lock of the kernel's (flock) decides between processes of one machine: it goes with the process that dies. For folders that machines share
without their locks, the file says until when it is held, and by whom: the holder renews that, and others wait until it is over. Blocks.
"""

from __future__ import annotations

import fcntl
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

SECONDS = 60.0  # that a lease lasts after its last heartbeat
BEAT = 15.0  # seconds between two heartbeats
_BOOT = Path("/proc/sys/kernel/random/boot_id")


class Holder(msgspec.Struct, frozen=True):
    """What stands in the file. machine: of its kernel since it started; until: Unix seconds."""

    name: str = ""
    machine: str = ""
    until: float = 0.0


def machine() -> str:
    """What tells this kernel from others: the containers on it share its locks."""
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return ""


class Lease:
    """name: of who asks, as Via has it. wall: Unix seconds; steady: seconds of a clock that nobody sets."""

    def __init__(
        self,
        path: Path,
        name: str,
        wall: Callable[[], float] = time.time,
        here: str | None = None,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self._path = path
        self._wall, self._steady = wall, steady
        self._name = name
        self._machine = machine() if here is None else here
        self._fd = -1
        self._over = False
        self._seen, self._since = Holder(), 0.0  # what another one has written, and when we saw that first
        self._door = threading.Lock()  # a heartbeat may come beside another question

    @property
    def held(self) -> bool:
        """As far as we know."""
        return self._fd >= 0

    def take(self) -> bool:
        """Have it, or keep it; False: another one has it, or it was released. Raises OSError where the file can't be written."""
        with self._door:
            return not self._over and self._take()

    def _take(self) -> bool:
        if self._fd >= 0:
            return self._renew()
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            if self._may(fd):
                self._write(fd)
                self._fd, fd = fd, -1
        finally:
            if fd >= 0:
                os.close(fd)
        return self._fd >= 0

    def release(self) -> None:
        """Others may have it at once, and we never again: a `take` may be under way in a thread."""
        with self._door:
            self._over = True
            if self._fd >= 0:
                self._let_go()

    def _let_go(self) -> None:
        try:
            if self._is_ours():
                os.ftruncate(self._fd, 0)
        finally:
            os.close(self._fd)
            self._fd = -1

    def _may(self, fd: int) -> bool:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:  # a file system without locks: what stands in the file has to do
            pass
        holder = _holder(fd)
        return holder.until <= self._wall() or (bool(self._machine) and holder.machine == self._machine) or self._is_left(holder)

    def _is_left(self, holder: Holder) -> bool:
        """Whether its heartbeats have ceased, whatever it says: it may have been written by a clock that was ahead."""
        now = self._steady()
        if holder != self._seen:
            self._seen, self._since = holder, now
        return now - self._since > SECONDS

    def _renew(self) -> bool:
        """The file may have been replaced, or taken by a machine that does not see our lock."""
        if self._is_ours() and _holder(self._fd).name in (self._name, ""):
            self._write(self._fd)
            return True
        os.close(self._fd)
        self._fd = -1
        return False

    def _is_ours(self) -> bool:
        try:
            return os.path.samestat(self._path.stat(), os.fstat(self._fd))
        except FileNotFoundError:
            return False

    def _write(self, fd: int) -> None:
        data = msgspec.json.encode(Holder(self._name, self._machine, self._wall() + SECONDS))
        os.pwrite(fd, data.ljust(512), 0)
        os.ftruncate(fd, 512)
        os.fsync(fd)


def _holder(fd: int) -> Holder:
    try:
        return msgspec.json.decode(os.pread(fd, 512, 0), type=Holder)
    except msgspec.DecodeError:
        return Holder()
