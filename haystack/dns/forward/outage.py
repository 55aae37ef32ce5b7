"""Tells in the log when none of a name's nameservers answers any more, and when one does again.

Never does: ask, choose. The forwarder tells it after each question how they stand.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from haystack.dns.forward.nameservers import Nameserver, text
from haystack.dns.forward.standing import Standing

log = structlog.get_logger()


class Outages:
    """Of each group of nameservers that are asked for the same names."""

    def __init__(self) -> None:
        self._down: set[tuple[Nameserver, ...]] = set()

    def look(self, standings: Sequence[Standing]) -> None:
        """These have been asked. One that is skipped has been silent for several datagrams, or is not there."""
        group = tuple(each.server for each in standings)
        down = bool(group) and all(each.skipped_since is not None for each in standings)
        if down == (group in self._down):
            return
        if down:
            self._down.add(group)
            log.warning("nameservers.silent", nameservers=[*map(text, group)])
        else:
            self._down.discard(group)
            log.info("nameservers.back", nameservers=[text(each.server) for each in standings if each.skipped_since is None])
