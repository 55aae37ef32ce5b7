"""TLS for ends that are turned by hand: bytes go through memory, and move when the test says so. And records that OpenSSL never sends."""

from __future__ import annotations

import ssl
from contextlib import suppress
from pathlib import Path

from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from tests.fuzz.ends import End
from tests.fuzz.rig import Rig

HANDSHAKE, DATA = 22, 23  # content types (RFC 8446, section 5.1)
KEY_UPDATE = b"\x18\0\0\1\1"  # one that asks for one (section 4.6.3)
HEAD, TAG = 5, 16  # bytes of a record's head, and of what AES-GCM adds


class Sealed:
    """TLS on an End. name: that a client asks for; None: it is a server. seen: what came within; over: the other side said that it ends."""

    def __init__(self, end: End, context: ssl.SSLContext, name: str | None = None) -> None:
        self.end = end
        self._in, self._out = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self._in, self._out, server_side=name is None, server_hostname=name)
        self.seen = bytearray()
        self.over = self.is_secure = False
        self._read = 0

    def send(self, data: bytes) -> None:
        """In records of OpenSSL's."""
        if data:
            self.tls.write(data)
            self.end.send(self._out.read())

    def half_close(self) -> None:
        """close_notify alone: the socket stays as it is."""
        with suppress(ssl.SSLWantReadError):
            self.tls.unwrap()
        self.end.send(self._out.read())

    def look(self) -> bool:
        """Take in what has come, and send what TLS has to say by itself; whether there was anything."""
        new = bytes(self.end.seen[self._read :])
        self._read += len(new)
        self._in.write(new)
        with suppress(ssl.SSLWantReadError):
            if not self.is_secure:
                self.tls.do_handshake()
                self.is_secure = True
            self._receive()
        own = self._out.read()
        self.end.send(own)
        return bool(new or own)

    def _receive(self) -> None:
        """Until there is no more. Raises SSLWantReadError."""
        while not self.over:
            try:
                data = self.tls.read(65536)
            except ssl.SSLZeroReturnError:
                data = b""
            self.seen += data
            self.over = not data


def settle(rig: Rig, *sealed: Sealed) -> None:
    """Until nobody has anything to say."""
    moved = True
    while moved:
        rig.settle()
        moved = any(each.look() for each in sealed)


class Records:
    """Records of TLS 1.3 as a client makes them whose secret is known; AES-128 in GCM, SHA-256 (RFC 8446, sections 5.2 and 7.3)."""

    def __init__(self, secret: bytes) -> None:
        self._key = AESGCM(_expanded(secret, b"key", 16))
        self._iv = int.from_bytes(_expanded(secret, b"iv", 12), "big")
        self._secret, self._number = secret, 0

    def record(self, kind: int, data: bytes) -> bytes:
        """One with this content."""
        nonce = (self._iv ^ self._number).to_bytes(12, "big")
        self._number += 1
        head = b"\x17\x03\x03" + (len(data) + 1 + TAG).to_bytes(2, "big")
        return head + self._key.encrypt(nonce, data + bytes([kind]), head)

    def next_key(self) -> Records:
        """Of those behind a KeyUpdate (section 7.2)."""
        return Records(_expanded(self._secret, b"traffic upd", 32))


def logged_secret(log: Path) -> bytes:
    """With which a client seals what it sends behind its handshake, out of its file of keys."""
    (line,) = [line for line in log.read_text().splitlines() if line.startswith("CLIENT_TRAFFIC_SECRET_0 ")]
    return bytes.fromhex(line.split()[2])


def _expanded(secret: bytes, label: bytes, size: int) -> bytes:
    """HKDF-Expand-Label without a context (section 7.1)."""
    label = b"tls13 " + label
    info = size.to_bytes(2, "big") + bytes([len(label)]) + label + b"\0"
    return HKDFExpand(SHA256(), size, info).derive(secret)


def records(data: bytes) -> list[tuple[int, int]]:
    """(content type as it is seen from outside, bytes of content that are sealed) of each whole record."""
    found, at = [], 0
    while at + HEAD <= len(data):
        size = int.from_bytes(data[at + 3 : at + HEAD], "big")
        found.append((data[at], size - 1 - TAG))
        at += HEAD + size
    return found
