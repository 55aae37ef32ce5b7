"""A terminal that tmux draws, with a session of the shell in it: keys go in, and the screen can be read as a person sees it."""

from __future__ import annotations

import re
import subprocess
import time
import uuid
from collections.abc import Sequence
from types import TracebackType
from typing import Self

PATIENCE = 20.0  # seconds


class Tmux:
    """A server of tmux of its own, with this command in a terminal of so many columns and rows."""

    def __init__(self, command: Sequence[str], columns: int = 100, rows: int = 30) -> None:
        self._name = f"haystack-{uuid.uuid4().hex[:12]}"
        self._command, self._size = command, (str(columns), str(rows))

    def __enter__(self) -> Self:
        columns, rows = self._size
        self._do("-f", "/dev/null", "new-session", "-d", "-x", columns, "-y", rows, *self._command)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._do("kill-server", check=False)

    def type(self, text: str) -> None:
        """As on a keyboard, and Enter."""
        self._do("send-keys", "-l", text)
        self.press("Enter")

    def press(self, key: str) -> None:
        """A key by its name, such as C-c, Up or q."""
        self._do("send-keys", key)

    def clear(self) -> None:
        """An empty screen, with the prompt on its first line."""
        self._do("send-keys", "C-l")

    def screen(self, *, colours: bool = False) -> str:
        """What can be seen now; colours: with its control sequences."""
        return self._do("capture-pane", "-p", *(["-e"] if colours else []))

    def sees(self, pattern: str) -> str:
        """The screen, once this is on it."""
        over = time.monotonic() + PATIENCE
        while not re.search(pattern, seen := self.screen(), re.DOTALL):
            if time.monotonic() > over:
                raise AssertionError(f"{pattern!r} is not on the screen:\n{seen}")
            time.sleep(0.05)
        return seen

    def _do(self, *words: str, check: bool = True) -> str:
        done = subprocess.run(["tmux", "-L", self._name, *words], check=check, capture_output=True, text=True, timeout=PATIENCE)
        return done.stdout
