"""Looks at single containers: asks the engine about them, several at once, and tells the view. Never blocks.

A container that has gone meanwhile is normal. An answer that is an error, can't be read, or has not ended in time costs that container
alone. Never decides when to look: the watch does, and turns.py whose turn it is.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import structlog

from haystack.discovery.docker import client as border
from haystack.discovery.docker import inspect
from haystack.discovery.docker.asking import Asking
from haystack.discovery.docker.engine_view import View
from haystack.discovery.docker.turns import Look, Turns
from haystack.observe.bursts import Crowd

_log = structlog.get_logger()
Answer = tuple[object, tuple[str, ...]] | Exception  # an inspection, and tags of the image; or why there is none


class Looks:
    """Of one session; seen: called after each that may have changed something.

    patience: seconds that the engine may take for one container.
    """

    def __init__(
        self, client: border.Client, view: View, asking: Asking, turns: Turns, patience: float, crowd: Crowd, seen: Callable[[Look], None]
    ) -> None:
        self._client, self._view, self._asking, self._turns = client, view, asking, turns
        self._patience = patience
        self._crowd = crowd
        self._seen = seen
        self._tags: dict[str, tuple[str, ...]] = {}

    def begin(self) -> None:
        """Ask about those whose turn it is."""
        while (look := self._turns.next()) is not None:
            self._asking.ask(partial(self._ask, look.identity), partial(self._take, look))

    def _ask(self, identity: str) -> Answer:
        """In a thread of its own. Raises when the engine doesn't answer anything."""
        try:
            raw = border.inspected(self._client, identity, self._patience)
            return raw, self._tags_of(raw)
        except Exception as error:
            if border.gone(error) or self._its_own(error):
                return error
            raise

    def _take(self, look: Look, answer: Answer) -> None:
        """What the engine has said about it."""
        identity = look.identity
        lost = isinstance(answer, Exception) and not border.gone(answer)
        if not self._turns.landed(look, seen=not lost):
            return
        if isinstance(answer, Exception):
            if lost:
                _log.warning("container.inspect_failed", name=self._view.name(identity), id=identity[:12], error=border.explain(answer))
            else:
                self._view.remove(identity)
        else:
            self._show(identity, *answer)
        self._seen(look)

    def _show(self, identity: str, raw: object, tags: tuple[str, ...]) -> None:
        engine = self._view.engine.id if self._view.engine else ""
        found = inspect.container(raw, engine, tags, self._view.aliases)
        if found is None or found.container.id != identity:
            self._view.remove(identity)
            return
        if self._view.falls_ill(found):
            ill = found.container
            self._crowd.warning("container.unhealthy", name=ill.name, id=ill.short_id, output=ill.health_output)
        self._view.put(found)

    def _its_own(self, error: BaseException) -> bool:
        """Whether an error is one container's, and not the engine's. Raises where the engine answers nothing else either.

        Docker holds a lock for each container: one whose storage or runtime hangs is silent alone, for as long as that lasts.
        """
        if border.late(error):
            border.clock(self._client, self._patience)
            return True
        return border.answered(error) or border.unusable(error)

    def _tags_of(self, raw: object) -> tuple[str, ...]:
        """The tags of its image, asked for only where it runs from a bare image id."""
        image = inspect.needs_tag(raw)
        if image and image not in self._tags:
            try:
                told = inspect.mapping(border.image(self._client, image, self._patience))
                self._tags[image] = tuple(inspect.text(t) for t in inspect.items(told.get("RepoTags")))
            except Exception as error:
                if not self._its_own(error):
                    raise
                return ()
        return self._tags.get(image, ())
