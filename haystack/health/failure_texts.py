"""What went wrong with an endpoint, in words that follow `port N` or its name. Pure."""

from __future__ import annotations

import errno
import os

_GONE = frozenset({errno.ECONNREFUSED, errno.ECONNRESET, errno.ECONNABORTED})


class Answered(str):
    """A trouble that somebody at the address has shown: there is a way to it."""

    __slots__ = ()


REFUSED = Answered("does not accept")  # somebody is at the address, and nobody at the port
SILENT = "does not answer"


def trouble(error: Exception) -> str:
    """What this error says."""
    if isinstance(error, TimeoutError):
        return SILENT
    number = getattr(error, "errno", None)
    if number in _GONE:
        return REFUSED
    return f"can't be reached ({os.strerror(number) if number else error})"
