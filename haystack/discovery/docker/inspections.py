"""Looks at single containers: asks the engine about one and tells the view. In the provider's thread; may block.

One that has gone meanwhile is normal; an answer that is an error, or none in time, costs that container alone. Never decides when
to look: the watch does.
"""

from __future__ import annotations

import structlog

from haystack.discovery.docker import client as border
from haystack.discovery.docker import inspect
from haystack.discovery.docker.engine_view import View
from haystack.observe.bursts import Crowd

_log = structlog.get_logger()


class Looks:
    """Of one session. patience: seconds that the engine may take for one container."""

    def __init__(self, client: border.Client, view: View, patience: float) -> None:
        self._client = client
        self._view = view
        self._patience = patience
        self._crowd = Crowd(__name__)
        self._tags: dict[str, tuple[str, ...]] = {}

    def look(self, identity: str) -> bool:
        """Inspect one container; False where the engine could not say, so that it is worth another try. Raises when it doesn't answer."""
        try:
            raw = border.inspected(self._client, identity, self._patience)
            engine = self._view.engine.id if self._view.engine else ""
            found = inspect.container(raw, engine, self._tags_of(raw), self._view.aliases)
        except Exception as error:
            if border.gone(error):
                self._view.remove(identity)
                return True
            if self._its_own(error):
                _log.warning("container.inspect_failed", name=self._view.name(identity), id=identity[:12], error=border.explain(error))
                return False
            raise
        if found is None or found.container.id != identity:
            self._view.remove(identity)
            return True
        if found.container.health == "unhealthy" and self._view.health(identity) != "unhealthy":
            ill = found.container
            self._crowd.warning("container.unhealthy", name=ill.name, id=ill.short_id, output=ill.health_output)
        self._view.put(found)
        return True

    def examine(self, identity: str) -> bool:
        """Ask how a container came to its end, which has left the list already; whether there was more to say. Raises as `look` does."""
        try:
            raw = border.inspected(self._client, identity, self._patience)
        except Exception as error:
            if self._its_own(error):
                return False  # it was removed at its end
            raise
        found = inspect.ended(raw)
        more = self._view.gone.examine(identity, oom=found[0], output=found[1]) if found is not None else None
        if more is None:
            return False
        ended = more.container
        self._crowd.info("container.examined", name=ended.name, id=ended.short_id, out_of_memory=more.oom, output=ended.health_output)
        return True

    def _its_own(self, error: BaseException) -> bool:
        """Whether an error is one container's, and not the engine's. Raises where the engine answers nothing else either.

        Docker holds a lock for each container: one whose storage or runtime hangs is silent alone, for as long as that lasts.
        """
        if border.late(error):
            border.clock(self._client, self._patience)
            return True
        return border.answered(error)

    def _tags_of(self, raw: object) -> tuple[str, ...]:
        """The tags of its image, asked for only where it runs from a bare image id."""
        image = inspect.needs_tag(raw)
        if image and image not in self._tags:
            try:
                told = inspect.mapping(self._client.inspect_image(image))
                self._tags[image] = tuple(inspect.text(t) for t in inspect.items(told.get("RepoTags")))
            except Exception as error:
                if not border.answered(error):
                    raise
                return ()
        return self._tags.get(image, ())
