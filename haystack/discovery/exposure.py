"""HAYSTACK_EXPOSE=labelled: a container without a haystack.* label is in no service. It is listed still, and has its names in DNS.

Between the providers and the registry. What has not changed stays the same object, as the registry wants it, and costs nothing.
"""

from __future__ import annotations

from itertools import chain

from msgspec.structs import replace

from haystack.discovery.provider import Sink
from haystack.model.listed import Listed, Some, differing
from haystack.model.records import Container, Listing

UNLABELLED = "HAYSTACK_EXPOSE=labelled, and it has no haystack.* label that counts"


class Labelled:
    """A Sink before another one."""

    def __init__(self, sink: Sink) -> None:
        self._sink = sink
        self._known: dict[str, tuple[Some, Listed]] = {}  # by source: as it was listed, and as it was passed on

    def replace(self, source: str, listing: Listing) -> None:
        """Pass on a listing."""
        self._sink.replace(source, self._passed(source, listing))

    def outdated(self, source: str, listing: Listing) -> None:
        """The same of what is left of a source."""
        self._sink.outdated(source, self._passed(source, listing))

    def _passed(self, source: str, listing: Listing) -> Listing:
        seen, passed = self._known.get(source, ((), Listed()))
        old, new = differing(seen, listing.containers)
        before = {c.id: c for c in reversed(tuple(chain.from_iterable(old)))}
        changes: dict[str, Container | None] = dict.fromkeys(before)
        for container in reversed(tuple(chain.from_iterable(new))):  # where it lists one twice, the first counts
            known = before.get(container.id) is container
            changes[container.id] = passed.by_id[container.id] if known else _shown(container)
        self._known[source] = listing.containers, passed.changed(changes)
        return replace(listing, containers=self._known[source][1])

    def failed(self, source: str, error: str) -> None:
        """Pass it on."""
        self._sink.failed(source, error)

    def withdraw(self, source: str) -> None:
        """Pass it on."""
        self._known.pop(source, None)
        self._sink.withdraw(source)


def _shown(container: Container) -> Container:
    return container if container.options.labelled else replace(container, services=(), withheld=UNLABELLED)
