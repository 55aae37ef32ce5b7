"""What a process may do beyond its user's rights: Linux's capabilities (capabilities(7)), by prctl(2), capget(2) and capset(2).

Of the calling thread alone: to be called before there are others, or for the thread that needs one. Imports little.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable

DAC_OVERRIDE, NET_BIND_SERVICE = 1, 10  # bits
PR_SET_PDEATHSIG, PR_SET_DUMPABLE, PR_SET_KEEPCAPS, PR_SET_NAME, PR_SET_NO_NEW_PRIVS = 1, 4, 8, 15, 38
VERSION = 0x20080522  # _LINUX_CAPABILITY_VERSION_3: two words a set
_libc = ctypes.CDLL(None, use_errno=True)


class _Head(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Word(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def permitted() -> int:
    """Those that this thread has, as bits. Raises OSError."""
    words = (_Word * 2)()
    _done(_libc.capget(ctypes.byref(_Head(VERSION, 0)), words))
    return int(words[0].permitted) | int(words[1].permitted) << 32


def keep(wanted: Iterable[int]) -> None:
    """Give up all but these, and of these what it has not; none is passed on to a program that it executes. Raises OSError."""
    have = permitted()
    mask = sum(1 << bit for bit in wanted if have >> bit & 1)
    words = (_Word * 2)(*(_Word(part, part, 0) for part in (mask & 0xFFFFFFFF, mask >> 32)))
    _done(_libc.capset(ctypes.byref(_Head(VERSION, 0)), words))


def become(uid: int, gid: int, wanted: Iterable[int] = ()) -> None:
    """Go on as another user than root, in its own group alone and with these capabilities at most. For good. Raises OSError."""
    prctl(PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setresgid(gid, gid, gid)
    os.setresuid(uid, uid, uid)
    keep(wanted)
    prctl(PR_SET_NO_NEW_PRIVS, 1)


def prctl(option: int, value: int | bytes) -> None:
    """The system call. Raises OSError."""
    argument = ctypes.create_string_buffer(value) if isinstance(value, bytes) else ctypes.c_ulong(value)
    unused = ctypes.c_ulong(0)
    _done(_libc.prctl(option, argument, unused, unused, unused))


def _done(status: int) -> None:
    if status != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
