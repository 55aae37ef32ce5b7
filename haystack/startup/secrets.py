"""Secrets of the environment: out of what /proc shows of this process and its children, once Python has read them.

The kernel shows the memory in which a process was given its environment (proc(5), /proc/PID/environ), and a forked child has a copy of it.
`os.environ` is Python's own copy: settings are read there.
"""

from __future__ import annotations

import ctypes
import os
import re
from collections.abc import Iterable

OURS = ("HAYSTACK_", "DOCKER_", "OTEL_")  # read by Python alone; what the C library and OpenSSL read stays
SECRET = re.compile("KEY|SECRET|TOKEN|PASS|CREDENTIAL|AUTH|HMAC", re.IGNORECASE)
USERINFO = re.compile(rb"://[^/\s]*@")


def is_secret(name: str, value: bytes) -> bool:
    """Whether a variable is not for anybody else: one of Haystack's own, one that is called a secret, or one with a password in a URL."""
    return name.startswith(OURS) or bool(SECRET.search(name) or USERINFO.search(value))


def hide() -> None:
    """Overwrite the values in the memory that /proc shows."""
    getenv = ctypes.CDLL(None).getenv
    getenv.restype, getenv.argtypes = ctypes.c_void_p, (ctypes.c_char_p,)
    for name, value in os.environb.items():
        place = getenv(name)
        if place and is_secret(os.fsdecode(name), value):
            ctypes.memset(place, 0, len(ctypes.string_at(place)))


def forget(names: Iterable[str]) -> None:
    """Drop these from Python's copy too: whoever needed them has them."""
    for name in names:
        os.environ.pop(name, None)
