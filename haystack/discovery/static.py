"""Containers from a TOML file instead of an engine: HAYSTACK_STATIC. The file is watched; a broken one changes nothing.

    [[container]]
    name = "web-001"
    image = "nginx"
    address = "10.0.0.7"
    ports = ["80/tcp"]
    labels = { "haystack.weight" = "50" }

read() is pure. Never does: naming or checking by rules of its own; they are those of discovered containers.
"""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog

from haystack.discovery import labels as label_reader
from haystack.discovery.docker import inspect
from haystack.discovery.provider import Sink
from haystack.loop import watched_file
from haystack.model import naming, ports, spelling
from haystack.model.records import Container, Engine, Listing, Problem
from haystack.settings import unreadable

KEYS = ("name", "image", "address", "ports", "labels")  # of a container
DEEPEST = 32  # tables within tables of labels

_log = structlog.get_logger()


class StaticError(Exception):
    """The file can't be used; the text is one line that says why."""


class StaticProvider:
    """Publishes what the file at `path` lists, and again whenever it changes."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).absolute()
        self.source = f"file://{self.path}"

    async def run(self, sink: Sink) -> None:
        """Publish into sink until cancelled."""
        async for _ in watched_file.changes(self.path):
            try:
                listing = read(self.path.read_bytes(), self.source)
            except (OSError, StaticError) as error:
                text = f"{self.path}: {unreadable.why(error) if isinstance(error, OSError) else error}"
                _log.error("static.broken", error=text, kept="what was listed last")
                sink.failed(self.source, text)
            else:
                sink.replace(self.source, listing)


def read(content: bytes, source: str) -> Listing:
    """The Listing of a TOML file. Raises StaticError when it is no such file; an odd entry only costs itself."""
    try:
        told = tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:  # beside what is no TOML: numbers and nesting beyond what Python takes
        raise StaticError(f"not TOML: {error}") from error
    entries = told.get("container", [])
    if not isinstance(entries, list) or not all(isinstance(e, dict) for e in entries):
        raise StaticError("container is not a list of tables: write [[container]]")
    found: dict[str, Container] = {}
    problems = [*_unknown(told, ("container",))]
    for number, entry in enumerate(entries, 1):
        name = inspect.text(entry.get("name"))
        if not name or name in found:
            why = f"the name {name!r} is taken" if name else "it has no name"
            problems.append(Problem(subject=f"container {number}", message=f"{why}: left out"))
            continue
        try:
            found[name] = _container(entry, name, source)
        except (ValueError, RecursionError) as error:  # a value that can't be written as text
            problems.append(Problem(subject=f"container {number}", message=f"{error}: left out"))
    return Listing(
        engine=Engine(id=source, name=Path(source).name, host=source), containers=tuple(found.values()), problems=tuple(problems)
    )


def _unknown(table: Mapping[str, Any], known: Sequence[str]) -> Iterator[Problem]:
    """Keys that nothing reads: most are misspelt."""
    for key in table:
        if key not in known:
            near = spelling.nearest(key, known)
            meant = f"did you mean {near}?" if near else f"the keys are {', '.join(known)}"
            yield Problem(subject=f"key {key[:80]}", message=f"no such key; {meant}; key ignored")


def identity(name: str) -> str:
    """The container id of an entry: 64 hex digits that stay the same as long as its name does."""
    return hashlib.sha256(name.encode()).hexdigest()


def _labels(table: Mapping[str, Any], above: str = "", depth: int = 0) -> Iterator[tuple[str, str]]:
    """Names and texts. A dotted key is a table within a table in TOML, and one name here: `labels.haystack.port = 80`."""
    if depth == DEEPEST:
        raise ValueError("the tables of its labels are nested too deeply")
    for key, value in table.items():
        if isinstance(value, dict):
            yield from _labels(value, f"{above}{key}.", depth + 1)
        else:
            yield above + key, str(value).lower() if isinstance(value, bool) else str(value)


def _container(entry: dict[str, Any], name: str, source: str) -> Container:
    labels = dict(_labels(inspect.mapping(entry.get("labels"))))
    options, label_problems = label_reader.read(labels)
    image = inspect.text(entry.get("image"))
    image_name = naming.repository(image)
    services, name_problems = naming.services(name, image_name, options, labels)
    texts = [str(p) for p in inspect.items(entry.get("ports"))] + ([f"{options.port}/tcp"] if options.port else [])
    listed, odd = ports.union(texts)
    four, six = inspect.address(entry.get("address"), 4), inspect.address(entry.get("address"), 6)
    problems = [Problem(subject="port", message=f"{t[:80]!r} is no port: left out") for t in odd]
    problems += _unknown(entry, KEYS)
    if "address" in entry and not (four or six):
        problems.append(Problem(subject="address", message=f"{str(entry['address'])[:80]!r} is no IP address: it has none"))
    return Container(
        id=identity(name),
        name=name,
        engine=source,
        image=image,
        image_name=image_name,
        state_reason="listed",
        address=four,
        address6=six,
        address_reason="as listed" if four or six else "none is listed",
        ports=listed,
        services=services,
        originals=naming.originals(name, image_name, options, labels),
        withheld=naming.withheld(labels),
        options=options,
        problems=(*label_problems, *name_problems, *problems),
    )
