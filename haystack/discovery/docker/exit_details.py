"""How containers came to their end, asked afterwards: whether memory ran out, and what the last health check said. For log and shell alone.

One at a time, and only once the event that it has gone has been told. Never blocks, never decides whether it has ended.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial

from haystack.discovery.docker import client as border
from haystack.discovery.docker import inspect
from haystack.discovery.docker.asking import Asking
from haystack.discovery.docker.departures import MOST
from haystack.discovery.docker.engine_view import View
from haystack.observe.bursts import Crowd


class ExitDetails:
    """Of one session. patience: seconds that the engine may take for one; pause: before the first question; news: there was more to say."""

    def __init__(
        self, client: border.Client, view: View, asking: Asking, patience: float, pause: float, crowd: Crowd, news: Callable[[], None]
    ) -> None:
        self._client, self._view, self._asking = client, view, asking
        self._patience, self._pause = patience, pause
        self._crowd, self._news = crowd, news
        self._waiting: dict[str, float] = {}
        self._asked = ""

    def want(self, identity: str) -> None:
        """This container has ended. Of many, those that ended first are not asked about: their departures are not kept either."""
        self._waiting.pop(identity, None)
        self._waiting[identity] = time.monotonic() + self._pause
        while len(self._waiting) > MOST:
            del self._waiting[next(iter(self._waiting))]

    def wake(self) -> float:
        """When the next one is due, in seconds of a clock that only grows."""
        return float("inf") if self._asked else min(self._waiting.values(), default=float("inf"))

    def begin(self) -> None:
        """Ask about the next one, where it is due."""
        identity = next(iter(self._waiting), "")
        if self._asked or not identity or self._waiting[identity] > time.monotonic():
            return
        del self._waiting[identity]
        self._asked = identity
        self._asking.ask(partial(self._ask, identity), self._take)

    def _ask(self, identity: str) -> object:
        """In a thread of its own. None: the engine can't say, for it was removed at its end, or hangs."""
        try:
            return border.inspected(self._client, identity, self._patience)
        except Exception as error:
            if border.late(error) or border.answered(error) or border.unusable(error):
                return None
            raise

    def _take(self, raw: object) -> None:
        identity, self._asked = self._asked, ""
        found = inspect.ended(raw) if raw is not None else None
        more = self._view.gone.examine(identity, oom=found[0], output=found[1]) if found is not None else None
        if more is None:
            return
        ended = more.container
        self._crowd.info("container.examined", name=ended.name, id=ended.short_id, out_of_memory=more.oom, output=ended.health_output)
        self._news()
