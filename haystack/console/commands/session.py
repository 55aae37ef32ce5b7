"""`version`, `exit` and `quit`."""

from __future__ import annotations

from haystack import __version__
from haystack.console.command import Asked, Command, Context, Leave, Result
from haystack.views.state import State


def version(_state: State, _asked: Asked, _context: Context) -> Result:
    """The version."""
    return Result(f"Haystack {__version__}")


def leave(_state: State, _asked: Asked, _context: Context) -> Result:
    """End the session."""
    return Result("", effect=Leave())


VERSION = Command("version", "show the version", action=version, example="version")
EXIT = Command("exit", "end the session; also exit(), quit and Ctrl-D", action=leave, example="exit")
QUIT = Command("quit", "end the session", action=leave, example="quit")
