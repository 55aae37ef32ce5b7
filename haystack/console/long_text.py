"""A text that may have megabytes, as pieces of some kilobytes each: joining or freeing it in one go would hold the control loop."""

from __future__ import annotations

PIECE = 16384  # characters


class Lines:
    """Takes lines, and has them as pieces that together are all lines with a line feed between each two."""

    def __init__(self, *lines: str) -> None:
        self._pieces: list[str] = []
        self._some: list[str] = []
        self._size = 0
        self.add(*lines)

    def add(self, *lines: str) -> None:
        """Lines at the end; one may hold several."""
        for line in lines:
            if self._size > PIECE:
                self._pieces.append("\n".join([*self._some, ""]))
                self._some, self._size = [], 0
            self._some.append(line)
            self._size += len(line) + 1

    def pieces(self) -> list[str]:
        """All of it, once there is no more."""
        return [*self._pieces, "\n".join(self._some)]
