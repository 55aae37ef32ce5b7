"""Certificates for tests: a CA of their own, and what it or nobody has signed."""

from __future__ import annotations

import datetime as dt
import ipaddress
import ssl
import tempfile
from pathlib import Path

import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID


class Authority:
    """A CA. path: where its certificate is, for clients that are to trust it."""

    def __init__(self, folder: Path) -> None:
        self.ca = trustme.CA(key_type=trustme.KeyType.ECDSA)
        self.path = folder / "ca.pem"
        self.ca.cert_pem.write_to_path(str(self.path))

    def issue(self, *names: str, rsa: bool = False, expired: bool = False) -> tuple[bytes, bytes]:
        """A chain and its key, both PEM."""
        kind = trustme.KeyType.RSA if rsa else trustme.KeyType.ECDSA
        late = {"not_before": days(-20), "not_after": days(-10)} if expired else {}
        leaf = self.ca.issue_cert(*names, key_type=kind, **late)
        chain = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
        return chain, leaf.private_key_pem.bytes()

    def write(self, folder: Path, stem: str, *names: str, rsa: bool = False) -> tuple[bytes, bytes]:
        """STEM.crt and STEM.key in the folder, the key first, as careful people do it."""
        chain, key = self.issue(*names, rsa=rsa)
        (folder / f"{stem}.key").write_bytes(key)
        (folder / f"{stem}.crt").write_bytes(chain)
        return chain, key


def server_context(chain: bytes, key: bytes) -> ssl.SSLContext:
    """Of a server that shows this certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.NamedTemporaryFile() as file:
        file.write(chain + key)
        file.flush()
        context.load_cert_chain(file.name)
    return context


def days(number: int) -> dt.datetime:
    """So many days from now."""
    return dt.datetime.now(dt.UTC) + dt.timedelta(days=number)


def self_signed(
    common: str, *, names: tuple[str, ...] = (), key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | None = None
) -> tuple[bytes, bytes]:
    """A certificate that nobody else has signed, and its key; without names it has no subjectAltName."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])
    made = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number(), days(-1), days(30))
    if names:
        made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
    pem = made.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    return pem, key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())


def bare(name: str, address: str) -> tuple[bytes, bytes, bytes]:
    """A CA as `openssl req -x509` makes it, without key usage, what it has signed for a name and an address, and the key of that."""
    theirs, own = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer, subject = (x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, each)]) for each in ("ca", name))
    above = x509.CertificateBuilder(issuer, issuer, theirs.public_key(), x509.random_serial_number(), days(-1), days(30))
    above = above.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    below = x509.CertificateBuilder(issuer, subject, own.public_key(), x509.random_serial_number(), days(-1), days(30))
    names = [x509.DNSName(name), x509.IPAddress(ipaddress.ip_address(address))]
    below = below.add_extension(x509.SubjectAlternativeName(names), critical=False)
    ca, leaf = (each.sign(theirs, hashes.SHA256()).public_bytes(Encoding.PEM) for each in (above, below))
    return ca, leaf, own.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
