"""The two text formats of Prometheus: what differs between them, and which one a client wants. Pure.

0.0.4 is what every scraper reads; OpenMetrics 1.0 is what newer ones ask for. Native histograms travel in protobuf alone, which is not
written here: a scraper that prefers it takes one of these.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from prometheus_client import exposition as plain
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import CollectorRegistry

TEXT, OPENMETRICS = "text", "openmetrics"
FORMATS = (TEXT, OPENMETRICS)
CONTENT_TYPES = {TEXT: plain.CONTENT_TYPE_PLAIN_0_0_4, OPENMETRICS: openmetrics.CONTENT_TYPE_LATEST}
END = b"# EOF\n"
WANTED = "application/openmetrics-text"
TEXTS = ("text/plain", "text/*", "*/*")


class Family(NamedTuple):
    """Samples of one kind. name: as in a sample, with the _total of a counter; kind: counter, gauge, histogram or summary."""

    name: str
    kind: str
    text: str

    def head(self, form: str) -> bytes:
        """The lines above its samples: OpenMetrics names a counter's family without _total."""
        name = self.name.removesuffix("_total") if form == OPENMETRICS and self.kind == "counter" else self.name
        return f"# HELP {name} {self.text}\n# TYPE {name} {self.kind}\n".encode()


def generated(registry: CollectorRegistry, form: str) -> bytes:
    """The families of a registry, without an end."""
    if form == OPENMETRICS:
        return bytes(openmetrics.generate_latest(registry)).removesuffix(END)  # type: ignore[no-untyped-call]
    return bytes(plain.generate_latest(registry))


def form_of(accept: str) -> str:
    """The format for a request with this field Accept (RFC 9110, section 12.5.1): OpenMetrics where it is named, and no less wanted."""
    wanted: dict[str, float] = {}
    for kind, version, quality in _ranges(accept):
        if kind != WANTED or version in ("", "1.0.0", "0.0.1"):
            wanted[kind] = max(wanted.get(kind, 0.0), quality)
    text = max((wanted.get(each, 0.0) for each in TEXTS), default=0.0)
    return OPENMETRICS if wanted.get(WANTED, 0.0) >= max(text, 0.001) else TEXT


def takes_gzip(accept_encoding: str) -> bool:
    """Whether a request with this field Accept-Encoding takes gzip (RFC 9110, section 12.5.3)."""
    found = {kind: quality for kind, _, quality in _ranges(accept_encoding)}
    return found.get("gzip", found.get("x-gzip", found.get("*", 0.0))) > 0


def _ranges(field: str) -> Iterator[tuple[str, str, float]]:
    """(what, its version, quality) for each that the field names; a quality that is none counts as 0."""
    for item in field.lower().split(","):
        kind, *parameters = (part.strip() for part in item.split(";"))
        told = dict(parameter.partition("=")[::2] for parameter in parameters)
        try:
            quality = float(told.get("q", "1"))
        except ValueError:
            quality = 0.0
        if kind:
            yield kind, told.get("version", "").strip('"'), quality
