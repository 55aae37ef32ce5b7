"""HAYSTACK_TLS_CLIENT_CA: whose certificates clients are asked for, told to the workers; again whenever the file changes.

A bad file keeps what was read before; where nothing was, workers refuse all clients. Not loaded unless the setting is there.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import structlog
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from haystack.loop import watched_file
from haystack.settings import unreadable
from haystack.tls import pem as pem_file
from haystack.tls.certificate import day
from haystack.tls.messages import ClientCas

MOST = 4 << 20  # bytes of the file: revocation lists may be long
MOST_AUTHORITIES = 100  # each handshake tells the client of all of them
_log = structlog.get_logger("haystack.tls")
_UNREADABLE = (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.InvalidVersion, x509.UnsupportedGeneralNameType)


class ClientAuthoritiesError(ValueError):
    """A file that can't be used. str() is one line."""


class ClientAuthoritiesFile:
    """The file at `path`. tell: sends a message to every worker."""

    def __init__(self, path: Path, tell: Callable[[ClientCas], None]) -> None:
        self.path = path.absolute()
        self._tell = tell
        self._seen: tuple[int, ...] | None = watched_file.UNSEEN
        self._told: ClientCas | None = None

    def welcome(self) -> Iterator[ClientCas]:
        """For a worker that begins."""
        if self._told is not None:
            yield self._told

    async def look(self) -> None:
        """Read it; what is bad is told."""
        self._seen = watched_file.state(self.path)
        try:
            found, names, lists = await asyncio.to_thread(read, self.path)
        except (OSError, ClientAuthoritiesError) as error:
            kept = "the authorities that were read last" if self._told else "nothing: all clients are refused"
            _log.error("authorities.broken", path=str(self.path), error=complaint(error), kept=kept)
            return
        _log.info("authorities.read", path=str(self.path), authorities=list(names), revocation_lists=lists)
        if found != self._told:
            self._told = found
            self._tell(found)

    async def run(self) -> None:
        """Read it whenever it has changed, until cancelled."""
        async for _ in watched_file.changes(self.path, self._seen):
            await self.look()


def complaint(error: OSError | ClientAuthoritiesError) -> str:
    """What is wrong, in one line."""
    return unreadable.why(error) if isinstance(error, OSError) else str(error)


def read(path: Path) -> tuple[ClientCas, tuple[str, ...], int]:
    """What it holds, the names of the authorities, and how many revocation lists. Raises OSError and ClientAuthoritiesError."""
    with path.open("rb") as file:
        pem = file.read(MOST + 1)
    if len(pem) > MOST:
        raise ClientAuthoritiesError("it is too long")
    try:
        return _parsed(pem)
    except ClientAuthoritiesError:
        raise
    except _UNREADABLE:
        raise ClientAuthoritiesError("a certificate or revocation list in it can't be read") from None


def _parsed(pem: bytes) -> tuple[ClientCas, tuple[str, ...], int]:
    if b"-----BEGIN CERTIFICATE-----" not in pem:
        raise ClientAuthoritiesError("there is no certificate in it")
    found = x509.load_pem_x509_certificates(pem)
    if len(found) > MOST_AUTHORITIES:
        raise ClientAuthoritiesError(f"it has {len(found)} certificates, and {MOST_AUTHORITIES} are allowed")
    for each in found:
        if not _is_authority(each):
            raise ClientAuthoritiesError(f"the certificate of {_name(each)} is not one of an authority: it may not sign others")
    lists = [x509.load_pem_x509_crl(block) for label, block in pem_file.blocks(pem) if label == b"X509 CRL"]
    written = [each.public_bytes(Encoding.PEM) for each in found] + [each.public_bytes(Encoding.PEM) for each in lists]
    told = ClientCas(b"".join(written), hashlib.sha256(b"".join(sorted(written))).digest())
    return told, tuple(map(_name, found)), _good(lists)


def _good(lists: Sequence[x509.CertificateRevocationList]) -> int:
    """How many; one that is over would have OpenSSL refuse everybody, which is told by its name here."""
    for each in lists:
        end = each.next_update_utc
        if end is not None and end.timestamp() < time.time():
            by = day(end.timestamp())
            raise ClientAuthoritiesError(f"the revocation list of {each.issuer.rfc4514_string()} was to be replaced by {by}")
    return len(lists)


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _name(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string()
