"""HAYSTACK_EXPOSE=labelled: a container without a haystack.* label is in no service. It is listed still, and has its names in DNS.

Between the providers and the registry. What has not changed stays the same object, as the registry wants it.
"""

from __future__ import annotations

from msgspec.structs import replace

from haystack.discovery.provider import Sink
from haystack.model.records import Container, Listing


class Labelled:
    """A Sink before another one."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._shown: dict[str, dict[str, tuple[Container, Container]]] = {}  # by source and id: as it was listed, and as it was passed on

    def replace(self, source: str, listing: Listing) -> None:
        """Pass on a listing."""
        before = self._shown.get(source, {})
        shown = self._shown[source] = {c.id: self._show(c, before.get(c.id)) for c in listing.containers}
        self._sink.replace(source, replace(listing, containers=tuple(shown[c.id][1] for c in listing.containers)))

    def failed(self, source: str, error: str) -> None:
        """Pass it on."""
        self._sink.failed(source, error)

    @staticmethod
    def _show(container: Container, before: tuple[Container, Container] | None) -> tuple[Container, Container]:
        if before is not None and before[0] is container:
            return before
        return container, container if container.options.labelled else replace(container, services=())
