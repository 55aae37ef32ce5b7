"""What the log has of one session: each command, and the end. Never changes anything."""

from __future__ import annotations

import time

import structlog

from haystack.console.command import Person

log = structlog.get_logger(__name__)
LONGEST = 1000  # characters of a command


class Record:
    """Of the session of this person. why: why it has ended, where that is not by itself."""

    def __init__(self, person: Person) -> None:
        self.person = person
        self.why = ""
        self._began = time.monotonic()
        self._commands = 0

    def command(self, line: str) -> None:
        """They have asked for this."""
        if not line.strip():
            return
        self._commands += 1
        who = self.person
        log.info("command.run", command=line[:LONGEST], key=who.fingerprint, comment=who.comment, peer=who.peer)

    def ended(self) -> None:
        """It is over."""
        who, seconds = self.person, round(time.monotonic() - self._began, 1)
        why = self.why or "left"
        log.info(
            "session.ended", key=who.fingerprint, comment=who.comment, peer=who.peer, reason=why, commands=self._commands, seconds=seconds
        )
