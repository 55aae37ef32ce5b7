"""An engine's networks, and where Haystack's own addresses are among them: asked for in threads of their own, once at a time.

Never blocks, never decides what they mean (engine_view.py).
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

import structlog

from haystack.discovery import own_place
from haystack.discovery.docker import client as border
from haystack.discovery.docker.asking import Asking
from haystack.model.records import Record

_log = structlog.get_logger()


class Nets(Record, frozen=True, kw_only=True):
    """raw: of /networks; addresses: Haystack's own; attached: the subnets that they are in; number: grows from question to question.

    error: why the engine could not list its networks, where it could before: those stay.
    """

    number: int
    raw: tuple[object, ...]
    error: str = ""
    addresses: tuple[own_place.Address, ...]
    attached: tuple[str, ...]


class Networks:
    """Of one session. take: called with what was found, with the containers because of which, and with when the first event was.

    known: whether there are some, of this session or one before.
    """

    def __init__(
        self, client: border.Client, asking: Asking, take: Callable[[Nets, set[str], float], None], known: Callable[[], bool]
    ) -> None:
        self._client, self._asking = client, asking
        self._take, self._known = take, known
        self._error = ""  # of the newest
        self._wanted: set[str] | None = None  # containers that events were about since it was asked last; None: there were no events
        self._told = 0.0  # when the first of them was
        self._busy = False
        self._numbers = count(1)
        self._newest = 0  # number of what was taken last

    def asked(self) -> Nets:
        """As they are now. Blocks; raises anything."""
        number = next(self._numbers)
        raw, error = self._listed()
        # Its own addresses anew, and after the list: a network that was made meanwhile gave this machine one.
        return Nets(number=number, raw=raw, error=error, addresses=own_place.addresses(), attached=own_place.attached())

    def _listed(self) -> tuple[tuple[object, ...], str]:
        """The list, or why there is none. An engine that fails in this alone tells of containers nevertheless."""
        try:
            return tuple(border.listed(self._client, "/networks")), ""
        except Exception as error:
            if not (border.failed(error) and self._known()):
                raise
            return (), border.explain(error)

    def accepts(self, nets: Nets) -> bool:
        """Take these as the newest; False: some were taken that were asked for later. Those of a list of containers come late, with it."""
        newest, self._newest = self._newest, max(self._newest, nets.number)
        if nets.number <= newest:
            return False
        if nets.error and not self._error:
            _log.warning("networks.untold", error=nets.error, kept="those that were listed last")
        self._error = nets.error
        return True

    def again(self, identity: str, told: float) -> None:
        """Ask again: an event of then was about them, and about this container, where that is not empty."""
        if self._wanted is None:
            self._wanted, self._told = set(), told
        self._wanted.add(identity)
        self._begin()

    def _begin(self) -> None:
        if self._busy or self._wanted is None:
            return
        identities, told = self._wanted, self._told
        self._wanted, self._busy = None, True
        self._asking.ask(self.asked, lambda nets: self._end(nets, identities, told))

    def _end(self, nets: Nets, identities: set[str], told: float) -> None:
        self._busy = False
        self._take(nets, identities, told)
        self._begin()
