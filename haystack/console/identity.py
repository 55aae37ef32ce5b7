"""Who a client is: the key that it proved to have, and those that it was refused with, for the log and for whoever asks who did something.

Sees what one connection offers; never decides whether it is let in.
"""

from __future__ import annotations

import base64
import hashlib

import asyncssh
from asyncssh.public_key import SSHCertificate, decode_ssh_certificate

from haystack.console.command import Person
from haystack.console.keyring import LINE, Ring
from haystack.console.keys import COMMENT, Line
from haystack.observe.safe_text import printable

MOST = 5  # refused keys that are told of a connection


class Offers:
    """The keys that one client offers."""

    def __init__(self, connection: asyncssh.SSHServerConnection) -> None:
        self.refused: dict[str, None] = {}  # fingerprints
        self._proved = b""
        self._connection = connection
        self._validate = connection.validate_public_key
        connection.validate_public_key = self._noted  # type: ignore[method-assign]  # asyncssh has no hook that sees both

    async def _noted(self, username: str, key_data: bytes, msg: bytes, signature: bytes) -> bool:
        """As theirs, RFC 4252, section 7: with a signature the client has the key, without one it asks whether that would do."""
        good = await self._validate(username, key_data, msg, signature)
        if good and msg:
            self._proved = key_data
        elif not good and len(self.refused) < MOST:
            self.refused[fingerprint(key_data)] = None
        return good

    def line(self) -> Line | None:
        """The line that let it in."""
        found = self._connection.get_key_option(LINE)
        return found if isinstance(found, Line) else None

    def person(self, peer: str) -> Person:
        """Who logged in."""
        line, certificate = self.line(), certified(self._proved)
        comment = line.comment if line else ""
        if certificate is not None:
            comment = printable(getattr(certificate, "_key_id", "") or comment)[:COMMENT]  # asyncssh shows it nowhere else
        return Person(comment, fingerprint(self._proved), peer)

    def why(self, ring: Ring | None) -> tuple[Line, str] | None:
        """The first refused key that is listed, and why it was refused all the same; None: none of them is."""
        for each in self.refused if ring else ():
            if ring is not None and (line := ring.listed.get(each)):
                return line, "not from this address, or not without a certificate" if line.rule in ring.rules else "it has expired"
        return None


def certified(data: bytes) -> SSHCertificate | None:
    """The certificate that these octets are; None: they are none."""
    try:
        return decode_ssh_certificate(data)
    except (asyncssh.KeyImportError, ValueError, LookupError):
        return None


def fingerprint(data: bytes) -> str:
    """As ssh-keygen -l shows it: of a certificate, that of its key."""
    certificate = certified(data)
    blob = certificate.key.public_data if certificate is not None else data
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
