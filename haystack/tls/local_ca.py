"""A certificate authority of Haystack's own, for names that no other one issues certificates for: those under ORIGIN, and under localhost.

It can vouch for nothing else: its certificate says so (name constraints, RFC 5280 section 4.2.1.10), and clients hold it to that. Key and
certificate are one file of the state folder. Never does: know services, or when a certificate is needed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from pathlib import Path

import structlog
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from haystack.tls import certificates, private_file
from haystack.tls.certificate import Certificate

LIFETIME = dt.timedelta(days=3650)
LEAST_LEFT = dt.timedelta(days=90)  # of its life: then there is a new one, which clients have to trust anew
LEAF = dt.timedelta(days=14)
SKEW = dt.timedelta(hours=1)  # by which clients' clocks may be late
LOCALHOST = "localhost"
LONGEST = 64  # characters of a common name (RFC 5280, appendix A.1)
log = structlog.get_logger(__name__)


class LocalCa:
    """key and certificate of the authority; clock: the time. Use `load`."""

    def __init__(
        self, key: ec.EllipticCurvePrivateKey, certificate: x509.Certificate, clock: Callable[[], dt.datetime] | None = None
    ) -> None:
        self._key = key
        self._certificate = certificate
        self._clock = clock or _now
        self.pem = certificate.public_bytes(serialization.Encoding.PEM)

    def issue(self, names: Sequence[str]) -> Certificate:
        """A certificate for these names, which are to be under ORIGIN or localhost."""
        now, key = self._clock(), ec.generate_private_key(ec.SECP256R1())
        made = (
            x509.CertificateBuilder()
            .subject_name(_subject(next((name for name in names if len(name) <= LONGEST), "haystack")))
            .issuer_name(self._certificate.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(max(now - SKEW, self._certificate.not_valid_before_utc))
            .not_valid_after(min(now + LEAF, self._certificate.not_valid_after_utc))
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_usage(signs=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        return certificates.read(made.public_bytes(serialization.Encoding.PEM) + self.pem, _pem(key))


def load(folder: Path, origin: str, clock: Callable[[], dt.datetime] | None = None) -> LocalCa:
    """The authority of this origin that is kept in the folder, else a new one that is kept if it can be. Blocks."""
    path, now = folder / "local-ca" / f"{origin}.pem", (clock or _now)()
    try:
        found = _read(path, clock)
        if found is not None and found._certificate.not_valid_after_utc - now > LEAST_LEFT:  # noqa: SLF001 - its own
            return found
        made = _new(origin, clock, now)
        data = made.pem + _pem(made._key)  # noqa: SLF001 - the same
        if found is not None:
            private_file.write(path, data)
        elif not private_file.create(path, data):
            return _read(path, clock) or made
    except (OSError, ValueError) as error:
        reason = "the CA's key can't be stored or read, so it changes at each start, and clients have to trust it anew"
        log.warning("localca.unusable", path=str(path), error=getattr(error, "strerror", None) or str(error), reason=reason)
        return _new(origin, clock, now)
    log.info(
        "localca.made", path=str(path), origin=origin, hint="clients trust it once they have /ca.pem, which the shell's `ca` prints too"
    )
    return made


def _read(path: Path, clock: Callable[[], dt.datetime] | None) -> LocalCa | None:
    """None: there is none. Raises OSError, and ValueError where it can't be used."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    if path.stat().st_mode & 0o077:
        raise ValueError(f"others can read it, so it is refused: chmod 600 {path}")
    certificate, key = x509.load_pem_x509_certificate(data), serialization.load_pem_private_key(data, None)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != certificate.public_key():
        raise ValueError("key and certificate do not belong together")
    return LocalCa(key, certificate, clock)


def _new(origin: str, clock: Callable[[], dt.datetime] | None, now: dt.datetime) -> LocalCa:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = _subject(f"Haystack CA of {origin}"[:LONGEST])
    permitted = [x509.DNSName(origin), *([x509.DNSName(LOCALHOST)] if origin != LOCALHOST else [])]
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs=True), critical=True)
        .add_extension(x509.NameConstraints(permitted_subtrees=permitted, excluded_subtrees=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    return LocalCa(key, made, clock)


def _usage(*, signs: bool) -> x509.KeyUsage:
    """Of a CA, or of a server."""
    return x509.KeyUsage(
        digital_signature=not signs, key_cert_sign=signs, crl_sign=signs, content_commitment=False, key_encipherment=False,
        data_encipherment=False, key_agreement=False, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
