"""Containers whose engines do not answer, and which of their endpoints are believed to be lost with their host."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from haystack.health.admission import Arrivals


class Orphans:
    """arrivals: looks at endpoints."""

    def __init__(self, arrivals: Arrivals) -> None:
        self._arrivals = arrivals
        self._ids: frozenset[str] = frozenset()

    def gone(self, container: str, endpoint: str) -> str:
        """Why an endpoint is believed to be gone with its host: neither it nor its engine answers. Empty: it is not."""
        silent = self._arrivals.silent(endpoint) if container in self._ids else ""
        return f"its host is lost: {silent}, and neither does its engine" if silent else ""

    def take(self, orphans: Iterable[str], endpoints: Mapping[str, frozenset[str]]) -> set[str]:
        """These are all that there are: look at their endpoints. The endpoints of which more, or less, is believed by this."""
        before, self._ids = self._ids, frozenset(orphans)
        for key in self._of(self._ids, endpoints):
            self._arrivals.doubt(key)
        return {key for key in self._of(before ^ self._ids, endpoints) if self._arrivals.silent(key)}

    @staticmethod
    def _of(containers: Iterable[str], endpoints: Mapping[str, frozenset[str]]) -> list[str]:
        return [key for identity in containers for key in endpoints.get(identity, ())]
