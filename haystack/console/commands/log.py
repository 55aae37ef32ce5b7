"""`log LEVEL`."""

from __future__ import annotations

from haystack.console.command import Asked, Command, Context, LogLevel, Result, word
from haystack.model import spelling
from haystack.model.spelling import LEVELS
from haystack.views.state import State


def log(_state: State, asked: Asked, _context: Context) -> Result:
    """Another log level, until the next start."""
    return Result(f"log level {asked['level']}", effect=LogLevel(asked["level"]))


def level(text: str) -> str:
    """A level by its name here."""
    if (found := spelling.level(text)) not in LEVELS:
        near = spelling.nearest(found, LEVELS)
        raise ValueError("no level" + (f"; did you mean {near}?" if near else ""))
    return found


COMMAND = Command(
    "log",
    "set the log level, until the next start",
    (word("level", "|".join(LEVELS), "what is logged: this, and what is graver", takes=level, completes=LEVELS),),
    log,
    example="log debug",
)
