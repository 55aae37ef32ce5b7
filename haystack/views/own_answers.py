"""What /api says of Haystack itself, as in answers.py. Only types."""

from __future__ import annotations

from typing import TypedDict


class VersionAnswer(TypedDict):
    """Of Haystack."""

    major: int
    minor: int
    patch: int


class SnapshotAnswer(TypedDict):
    """The picture that an answer is of; version grows with each change."""

    version: int
    created: float


class EngineAnswer(TypedDict):
    """A Docker daemon, without the way to it."""

    id: str
    name: str
    address: str | None
    version: str
    remote: bool


class SourceAnswer(TypedDict):
    """How a source of containers is doing. since: of the last change of connected; engine: its id, once it has listed."""

    connected: bool
    error: str | None
    since: float
    engine: str | None


class WorkerAnswer(TypedDict):
    """A process that carries requests."""

    slot: int
    pid: int | None
    state: str


class PeerAnswer(TypedDict):
    """Another Haystack. up: DNS answers with its address, too; names: how many names do; last_error: may be of before it was up."""

    name: str
    address: str | None
    port: int | None
    up: bool
    since: float
    names: int
    last_error: str | None


class Summary(TypedDict):
    """Haystack itself. listeners: name → port; engines: by id."""

    version: VersionAnswer
    origin: str
    started: float
    snapshot: SnapshotAnswer
    listeners: dict[str, int]
    engines: dict[str, EngineAnswer]
    sources: dict[str, SourceAnswer]
    workers: list[WorkerAnswer]
    peers: list[PeerAnswer]
