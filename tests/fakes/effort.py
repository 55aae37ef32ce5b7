"""How much work something is, in counts that are the same on every machine, however busy."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any


@contextmanager
def undisturbed() -> Iterator[None]:
    """No search for garbage: others have it call them (hypothesis measures how long it takes), and that would count."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def calls(work: Callable[[], object]) -> int:
    """The calls of functions that this makes."""
    count = 0

    def note(_frame: object, event: str, _argument: object) -> None:
        nonlocal count
        count += event in ("call", "c_call")

    with undisturbed():
        sys.setprofile(note)
        try:
            work()
        finally:
            sys.setprofile(None)
    return count


def instructions(work: Callable[[], object]) -> int:
    """The instructions of the interpreter that this takes, those of loops and generators with them: slow, for hundreds of items."""
    count = 0

    def note(frame: FrameType, event: str, _argument: object) -> Any:
        nonlocal count
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return note

    old = sys.gettrace()
    sys._getframe().f_trace_opcodes = True  # Python 3.12 has no opcode events in a trace that begins before a frame has asked for them
    with undisturbed():
        sys.settrace(note)
        try:
            work()
        finally:
            sys.settrace(old)
    return count
