"""Whose signatures count in the certificates of endpoints: reads the files that labels name, and the system's, whenever they change.

Workers can't read them, so they are told what is in them; the control process has contexts of its own, for health checks. What a file holds
is shown to nobody. A file that can't be read any more keeps what was read before. Reads in a thread, never on the loop.
"""

from __future__ import annotations

import asyncio
import os
import ssl
import stat
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import structlog

from haystack.health.endpoint_tls import Seal, Unsealed
from haystack.loop.turns import Turns
from haystack.model.endpoints import connection
from haystack.model.records import SEALED, ConnectionOptions
from haystack.model.services import Endpoint
from haystack.model.snapshot import Snapshot
from haystack.tls import pem
from haystack.tls.messages import Authorities

LOOK = 1.0  # seconds between two looks at the files
MOST = 4 << 20  # bytes: a system's list has some hundred KiB
SYSTEM = ""  # stands for the system's list
LISTS = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Alpine
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora, RHEL
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",
)
OFFERED = {"https": "http/1.1", "h2": "h2"}  # by ALPN
PENDING = Unsealed("its CA certificates are not read yet", pending=True)
LABELS = (b"CERTIFICATE", b"TRUSTED CERTIFICATE", b"X509 CERTIFICATE")
_log = structlog.get_logger("haystack.tls")

Key = tuple[str, bool, str]  # as in ConnectionOptions: tls_ca, tls_verify and protocol
Stamp = tuple[int, int, int]


class File(NamedTuple):
    """What was read. stamp: what changes whenever the file does, None where it is not there; error: why it is of no use, else empty."""

    stamp: Stamp | None = None
    certificates: tuple[bytes, ...] = ()
    error: str = ""


class Trust:
    """tell: sends a message to every worker; changed: called when endpoints may be spoken to that could not before, or the other way."""

    def __init__(self, tell: Callable[[Authorities], None], changed: Callable[[], None]) -> None:
        self._tell, self._changed = tell, changed
        self._version: int | None = None
        self._of: dict[str, Key] = {}  # by container
        self._wanted: Counter[Key] = Counter()
        self._files: dict[str, File] = {}
        self._contexts: dict[Key, ssl.SSLContext] = {}
        self._news = asyncio.Event()

    def follow(self, snapshot: Snapshot) -> Turns[None]:
        """Note whom the containers of this snapshot ask to trust."""
        change = snapshot.changed_since(self._version)
        self._version = snapshot.version
        for identity in change.containers if change is not None else {*snapshot.containers, *self._of}:
            container = snapshot.containers.get(identity)
            before = self._of.pop(identity, None)
            if before is not None:
                self._wanted[before] -= 1
            if container is not None and container.options.protocol in SEALED:
                key = self._of[identity] = _key(connection(snapshot.origin, container))
                self._wanted[key] += 1
                if key not in self._contexts:
                    self._news.set()
            yield

    def seal(self, endpoint: Endpoint) -> Seal | Unsealed:
        """How to speak to an endpoint within TLS now."""
        wanted = endpoint.connection
        if not wanted.is_sealed:
            return Unsealed("it is spoken to without TLS")
        key = _key(wanted)
        if key in self._contexts:
            return Seal(self._contexts[key], wanted.tls_server_name, wanted.protocol)
        file = self._files.get(key[0])
        return Unsealed(file.error) if file is not None and file.error else PENDING

    async def run(self) -> None:
        """Read what is wanted, and again whenever it changes, until cancelled."""
        while True:
            self._news.clear()
            await self.look()
            try:
                async with asyncio.timeout(LOOK if self._wanted else None):
                    await self._news.wait()
            except TimeoutError:
                pass

    async def look(self) -> None:
        """Take in what is other than it was at the last look."""
        self._wanted = +self._wanted
        wanted = set(self._wanted)
        files = {ca: self._files.get(ca, File()) for ca, verify, _ in wanted if verify}
        read = await asyncio.to_thread(_read, files)
        fresh = {ca for ca, file in read.items() if file.certificates != files[ca].certificates}
        missing = {key for key in wanted if key[0] in fresh or key not in self._contexts}
        made = await asyncio.to_thread(_contexts, missing, read)
        gone = self._contexts.keys() - wanted
        other = bool(made or gone) or read != self._files
        self._log(read)
        self._files = read
        self._contexts = {key: each for key, each in (self._contexts | made).items() if key in wanted}
        if fresh or gone:
            self._tell(Authorities(tuple((ca, file.certificates) for ca, file in sorted(read.items()) if file.certificates)))
        if other:
            self._changed()

    def _log(self, read: dict[str, File]) -> None:
        for ca, file in read.items():
            before = self._files.get(ca)
            if before == file:
                continue
            if file.error:
                _log.error("trust.unreadable", file=ca or "the system's", error=file.error, kept=len(file.certificates))
            else:
                _log.info("trust.read", file=ca or "the system's", certificates=len(file.certificates))


def _key(wanted: ConnectionOptions) -> Key:
    return (wanted.tls_ca if wanted.tls_verify else SYSTEM), wanted.tls_verify, wanted.protocol


def _read(before: dict[str, File]) -> dict[str, File]:
    """The files as they are now; those that have not changed are not read again. For a thread."""
    return {ca: _newest(ca, file) for ca, file in before.items()}


def _newest(ca: str, before: File) -> File:
    path = Path(ca) if ca else system()
    if path is None:
        return before._replace(error="this system has no CA certificates: install ca-certificates, or use the label haystack.tls.ca")
    try:
        stamp = _stamp(path)
        if stamp == before.stamp:
            return before
        found = _certificates(path)
    except OSError as error:
        return before._replace(stamp=None, error=f"its CA file {path} can't be read: {error.strerror or error}")
    except ValueError as error:
        return before._replace(stamp=stamp, error=f"its CA file {path} can't be used: {error}")
    return File(stamp, found)


def system() -> Path | None:
    """The file with the system's list; None: there is none."""
    told = os.environ.get("SSL_CERT_FILE") or ssl.get_default_verify_paths().cafile
    return next((path for path in map(Path, (told, *LISTS) if told else LISTS) if path.is_file()), None)


def _stamp(path: Path) -> Stamp:
    """Raises OSError. A label may name anything: only a file is read."""
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise OSError(0, "it is not a file")
    return found.st_mtime_ns, found.st_size, found.st_ino


def _certificates(path: Path) -> tuple[bytes, ...]:
    """Those in a file, one by one. Raises OSError and ValueError."""
    with path.open("rb") as file:
        data = file.read(MOST + 1)
    if len(data) > MOST:
        raise ValueError("it is too long")
    found = tuple(block for label, block in pem.blocks(data) if label in LABELS)
    if not found:
        raise ValueError("there is no certificate in it (PEM)")
    try:
        ssl.create_default_context(cafile=str(path))
    except ssl.SSLError:
        raise ValueError("a certificate in it can't be read") from None
    return found


def _contexts(keys: Iterable[Key], files: dict[str, File]) -> dict[Key, ssl.SSLContext]:
    """A context for each, as far as it is known whom to trust. For a thread: a system's list takes a tenth of a second."""
    made = ((key, _context(key, files.get(key[0]))) for key in keys)
    return {key: context for key, context in made if context is not None}


def _context(key: Key, file: File | None) -> ssl.SSLContext | None:
    ca, verify, protocol = key
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols([OFFERED[protocol]])
    if not verify:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    path = Path(ca) if ca else system()
    if file is None or not file.certificates or path is None:
        return None
    try:
        context.load_verify_locations(cafile=str(path))  # which other threads can go on beside; what it was a moment ago is good as well
    except OSError:
        return None
    return context
