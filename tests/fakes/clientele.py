"""Clients with certificates of their own: an authority for them, its revocation list, and TLS contexts that show one."""

from __future__ import annotations

import datetime as dt
import ssl
from pathlib import Path
from typing import Any

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key

from tests.fakes.pki import days
from tests.fakes.tls import trusting


class Clientele:
    """An authority whose clients are let in. path: its certificate, as HAYSTACK_TLS_CLIENT_CA has it; servers: what these trust."""

    def __init__(self, folder: Path, servers: Path, name: str = "clients") -> None:
        folder.mkdir(exist_ok=True)
        self._folder, self._servers = folder, servers
        self.ca = trustme.CA(organization_name=name, key_type=trustme.KeyType.ECDSA)
        self.path = folder / f"{name}.pem"
        self.ca.cert_pem.write_to_path(str(self.path))

    def issue(self, common: str, *names: str, **more: Any) -> trustme.LeafCert:
        return self.ca.issue_cert(*(names or (f"{common}@example.com",)), common_name=common, organization_name="Example, Inc.", **more)

    def context(self, leaf: trustme.LeafCert | None, **more: Any) -> ssl.SSLContext:
        """Of a client that shows this certificate."""
        context = trusting(self._servers, **more)
        if leaf is not None:
            leaf.configure_cert(context)
        return context

    def files(self, leaf: trustme.LeafCert, stem: str) -> tuple[Path, Path]:
        """Chain and key, for programs."""
        chain, key = self._folder / f"{stem}.crt", self._folder / f"{stem}.key"
        chain.write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
        key.write_bytes(leaf.private_key_pem.bytes())
        return chain, key

    def revoking(self, *leaves: trustme.LeafCert, until: dt.datetime | None = None) -> bytes:
        """A revocation list with these, PEM."""
        ca = x509.load_pem_x509_certificate(self.ca.cert_pem.bytes())
        made = x509.CertificateRevocationListBuilder(ca.subject, days(-2), until or days(2))
        for leaf in leaves:
            serial = x509.load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes()).serial_number
            made = made.add_revoked_certificate(x509.RevokedCertificateBuilder(serial, days(-1)).build())
        key = load_pem_private_key(self.ca.private_key_pem.bytes(), None)
        return made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)  # type: ignore[arg-type]
