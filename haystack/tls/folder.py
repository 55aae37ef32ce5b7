"""HAYSTACK_CERTS: each NAME.crt with its NAME.key, or NAME.pem with both, into the store; again whenever one of them changes.

A bad one keeps what was read before. Two files are seldom written at once: one that can't be used is told of only if it is still so, and
still the same, at the next look. Not loaded unless the setting is there.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import structlog

from haystack.loop import watched_file
from haystack.settings import unreadable
from haystack.tls import certificates
from haystack.tls.certificate import Certificate, day
from haystack.tls.certificates import CertificateError
from haystack.tls.store import FOLDER, Store

KINDS = (".crt", ".key", ".pem")
State = tuple[tuple[str, int, int, int, int], ...]
_log = structlog.get_logger("haystack.tls")


class Files(NamedTuple):
    """What there is under one name: where, and what changes whenever one of them does."""

    paths: tuple[Path, ...]
    state: State


class Folder:
    """The folder at `path`, whose certificates go into `store`."""

    def __init__(self, path: Path, store: Store) -> None:
        self.path = path.absolute()
        self._store = store
        self._seen: dict[str, State] = {}  # what was read, or told to be bad
        self._doubtful: dict[str, State] = {}  # what was bad at the last look, and may be half written
        self._missing: set[str] = set()  # what was not there at the last look
        self._lost = ""

    async def look(self, *, patient: bool = True) -> None:
        """Take in what has changed since the last look. patient: wait for the next one before something is told to be bad."""
        try:
            found = await asyncio.to_thread(scan, self.path)
        except OSError as error:
            why = f"{self.path}: {unreadable.why(error)}"
            if why != self._lost:
                _log.error("certificates.unreadable", error=why, kept="the certificates that were read last")
            self._lost = why
            return
        self._lost = ""
        for name, files in found.items():
            if self._seen.get(name) != files.state:
                self._take(name, files, await asyncio.to_thread(_tried, name, files.paths), patient=patient)
        self._let_go(found)

    async def run(self) -> None:
        """Look whenever something may have happened there, until cancelled."""
        async for _ in watched_file.ticks_within(self.path):
            await self.look()

    def _let_go(self, found: Mapping[str, Files]) -> None:
        """What was not there twice."""
        gone = self._store.keys(FOLDER) - found.keys()
        for name in gone & self._missing:
            self._store.remove(FOLDER, name)
            self._seen.pop(name, None)
            _log.info("certificate.gone", name=name)
        self._missing = set(gone)

    def _take(self, name: str, files: Files, found: Certificate | OSError | CertificateError, *, patient: bool) -> None:
        if not isinstance(found, Certificate):
            if not patient or self._doubtful.pop(name, None) == files.state:
                self._seen[name] = files.state
                self._tell_bad(name, found)
            else:
                self._doubtful[name] = files.state
            return
        self._doubtful.pop(name, None)
        self._seen[name] = files.state
        self._store.put(FOLDER, name, found)
        _log.info("certificate.read", name=name, names=list(found.names), expires=day(found.not_after))
        if flaw := found.flaw():
            _log.warning("certificate.untimely", name=name, error=flaw)

    def _tell_bad(self, name: str, error: OSError | CertificateError) -> None:
        why = unreadable.why(error) if isinstance(error, OSError) else str(error)
        self._store.fail(FOLDER, name, why)
        _log.error("certificate.broken", name=name, error=why, kept="the one that was read last, if any")


def scan(folder: Path) -> dict[str, Files]:
    """What there is in the folder by its names, in their order. Raises OSError. For a thread: on a network file system it may take long."""
    found: dict[str, dict[str, tuple[str, int, int, int, int]]] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            stem, kind = Path(entry.name).stem, Path(entry.name).suffix
            if kind in KINDS and stem and not entry.name.startswith(".") and (stat := _stat(entry)):
                found.setdefault(stem, {})[kind] = (entry.name, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, stat.st_ino)
    return {stem: files for stem in sorted(found) if (files := _files(folder, found[stem]))}


def _files(folder: Path, kinds: Mapping[str, tuple[str, int, int, int, int]]) -> Files | None:
    """Certificate and key, or the one with both; a key alone is none."""
    wanted = [".crt", ".key"] if ".crt" in kinds else [".pem"]
    there = [kinds[kind] for kind in wanted if kind in kinds]
    return Files(tuple(folder / name for name, *_ in there), tuple(there)) if there else None


def _stat(entry: os.DirEntry[str]) -> os.stat_result | None:
    """Of a file, wherever a link leads; None: it has just gone, or is none."""
    try:
        return entry.stat() if entry.is_file() else None
    except OSError:
        return None


def read(name: str, paths: tuple[Path, ...]) -> Certificate:
    """The certificate in these files. Raises OSError and CertificateError."""
    first, *rest = (_bytes(path) for path in paths)
    if not rest and paths[0].suffix == ".crt":
        raise CertificateError(f"there is no {name}.key beside {name}.crt")
    return certificates.read(first, rest[0] if rest else first)


def _tried(name: str, paths: tuple[Path, ...]) -> Certificate | OSError | CertificateError:
    """The same, or why not. For a thread, too: a key takes milliseconds to check."""
    try:
        return read(name, paths)
    except (OSError, CertificateError) as error:
        return error


def _bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(certificates.MOST + 1)
