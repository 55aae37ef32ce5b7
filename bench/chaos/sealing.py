"""TLS of the chaos rounds: an authority, the certificate that every proxy and every container shows, and contexts that trust it."""

from __future__ import annotations

import socket
import ssl
import tempfile
from pathlib import Path
from typing import Self

import trustme

DOMAIN = "chaos.example"  # whose names are passed through
NAMES = (f"*.{DOMAIN}", "*.nginx.services.haystack", "*.python.services.haystack")


class Sealing:
    """Files in a folder of their own. ca: of the authority; certs: a folder for Haystack; both: chain and key in one file."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="haystack-chaos-")
        folder = Path(self._folder.name)
        self._authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
        self.ca, self.certs = folder / "ca.pem", folder / "certs"
        self.both = self.certs / "default.pem"
        self.ca.write_bytes(self._authority.cert_pem.bytes())
        self.certs.mkdir()
        folder.chmod(0o755)  # workers are another user
        self.renew()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """Remove the files."""
        self._folder.cleanup()

    def renew(self) -> None:
        """Another certificate in the place of the one there, in one move."""
        leaf = self._authority.issue_cert(*NAMES, key_type=trustme.KeyType.ECDSA)
        fresh = self.both.with_suffix(".new")
        fresh.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems) + leaf.private_key_pem.bytes())
        fresh.replace(self.both)

    @property
    def settings(self) -> dict[str, str]:
        """Of Haystack."""
        return {"HAYSTACK_HTTPS_PORT": "0", "HAYSTACK_CERTS": str(self.certs)}

    @property
    def text(self) -> str:
        """Chain and key, for a container."""
        return self.both.read_text()

    def connected(self, port: int, host: str) -> ssl.SSLSocket:
        """A connection within TLS to this port of 127.0.0.1. Raises OSError."""
        context = trusting(self.ca)
        plain = socket.create_connection(("127.0.0.1", port), 2)
        try:
            return context.wrap_socket(plain, server_hostname=host)
        except BaseException:
            plain.close()
            raise

    def shown(self, port: int, host: str) -> str:
        """The serial number of the certificate that is shown there."""
        with self.connected(port, host) as connection:
            return str((connection.getpeercert() or {})["serialNumber"])


def trusting(ca: Path, *protocols: str) -> ssl.SSLContext:
    """A context that verifies by this authority, and offers these by ALPN."""
    context = ssl.create_default_context(cafile=str(ca))
    context.verify_flags &= ~ssl.VERIFY_X509_STRICT  # trustme's have no key identifiers
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context
