"""Certificates read from PEM, and checked.

Pure: reads no file, knows no source. No error quotes what was read. Brings `cryptography`: not for who only passes certificates on.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.x509.oid import NameOID

from haystack.model import naming
from haystack.tls import pem as pem_file
from haystack.tls.certificate import WILDCARD, Certificate

MOST = 1 << 20  # bytes of PEM: a chain is some KiB
LEAST_RSA = 2048  # bits, and no SHA-1: what OpenSSL takes at security level 2
CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
WEAK = frozenset({"md5", "sha1"})
_UNREADABLE = (ValueError, UnsupportedAlgorithm, x509.DuplicateExtension, x509.InvalidVersion, x509.UnsupportedGeneralNameType)
_SERVED = (rsa.RSAPrivateKey, ec.EllipticCurvePrivateKey, ed25519.Ed25519PrivateKey, ed448.Ed448PrivateKey)


class CertificateError(ValueError):
    """PEM that can't be used. str() is one line that says why, and holds nothing of a key."""


def read(chain: bytes, key: bytes) -> Certificate:
    """A certificate of PEM with the chain, in any order, and PEM with the key. Raises CertificateError."""
    if len(chain) > MOST or len(key) > MOST:
        raise CertificateError("it is too long for a certificate")
    try:
        return _read(chain, key)
    except CertificateError:
        raise
    except _UNREADABLE:  # many parts are read only when they are asked for
        raise CertificateError("a certificate in it can't be read") from None


def _read(chain: bytes, key: bytes) -> Certificate:
    private = _key(key)
    certificates = _chain(chain, private.public_key())
    leaf = certificates[0]
    for each in certificates:
        _refuse_weak(each)
    names = tuple(dict.fromkeys(_names(leaf)))
    if not names:
        raise CertificateError("it is for no host name: it has no subjectAltName that can be used")
    return _told(leaf, names, b"".join(each.public_bytes(serialization.Encoding.PEM) for each in certificates), _written(private))


def shown(der: bytes) -> Certificate:
    """The certificate that a server has shown, without chain and key, whatever speaks against it. Raises CertificateError."""
    try:
        leaf = x509.load_der_x509_certificate(der)
        return _told(leaf, tuple(dict.fromkeys(_alternative_names(leaf) or ())))
    except _UNREADABLE:
        raise CertificateError("it can't be read") from None


def _told(leaf: x509.Certificate, names: tuple[str, ...], chain: bytes = b"", key: bytes = b"") -> Certificate:
    return Certificate(
        chain=chain,
        key=key,
        names=names,
        kind=_kind(leaf.public_key()),
        subject=_common_name(leaf.subject),
        issuer=_common_name(leaf.issuer),
        not_before=leaf.not_valid_before_utc.timestamp(),
        not_after=leaf.not_valid_after_utc.timestamp(),
        serial=f"{leaf.serial_number:x}",
        fingerprint=leaf.fingerprint(hashes.SHA256()).hex(),
    )


def read_both(pem: bytes) -> Certificate:
    """A certificate of one PEM text with chain and key. Raises CertificateError."""
    return read(pem, pem)


def _blocks(pem: bytes, end: bytes) -> list[bytes]:
    """The PEM blocks whose label ends so."""
    return [block for label, block in pem_file.blocks(pem) if label.endswith(end)]


def _key(pem: bytes) -> PrivateKeyTypes:
    """The private key, which is to be of a kind that TLS has."""
    found = _blocks(pem, b"PRIVATE KEY")
    if len(found) != 1:
        raise CertificateError("there is no private key" if not found else f"there are {len(found)} private keys, and it takes one")
    try:
        key = serialization.load_pem_private_key(found[0], password=None)
    except TypeError:
        raise CertificateError("its private key has a password: it has to be without one") from None
    except (ValueError, UnsupportedAlgorithm):
        raise CertificateError("its private key can't be read") from None
    if not isinstance(key, _SERVED):
        raise CertificateError("its private key is of a kind that TLS does not use: it takes ECDSA, RSA or Ed25519")
    return key


def _chain(pem: bytes, public: PublicKeyTypes) -> list[x509.Certificate]:
    """The leaf, which is that of the key, then the others as they came."""
    blocks = _blocks(pem, b"CERTIFICATE")
    if not blocks:
        raise CertificateError("there is no certificate")
    try:
        found = [x509.load_pem_x509_certificate(block) for block in blocks]
        leaf = next((each for each in found if each.public_key() == public), None)
    except (ValueError, UnsupportedAlgorithm):
        raise CertificateError("a certificate in it can't be read") from None
    if leaf is None:
        raise CertificateError("the private key is not that of the certificate")
    return [leaf, *(each for each in found if each != leaf)]


def _refuse_weak(certificate: x509.Certificate) -> None:
    """What clients or OpenSSL refuse. A root's own signature proves nothing, so it may be any."""
    public = certificate.public_key()
    if isinstance(public, rsa.RSAPublicKey) and public.key_size < LEAST_RSA:
        raise CertificateError(f"its RSA key has {public.key_size} bits, and it takes {LEAST_RSA}")
    if isinstance(public, ec.EllipticCurvePublicKey) and public.curve.name not in CURVES:
        raise CertificateError(f"its curve is {public.curve.name}, and it takes {', '.join(CURVES.values())}")
    try:
        digest = certificate.signature_hash_algorithm
    except UnsupportedAlgorithm:
        raise CertificateError("it is signed in a way that is not known") from None
    if digest is not None and digest.name in WEAK and certificate.subject != certificate.issuer:
        raise CertificateError(f"it is signed with {digest.name}, which clients refuse")


def _names(leaf: x509.Certificate) -> Iterable[str]:
    """Host names and addresses of its subjectAltName; one without any has that of its common name, as old ones do."""
    found = _alternative_names(leaf)
    return _usable([_common_name(leaf.subject)]) if found is None else found


def _alternative_names(leaf: x509.Certificate) -> list[str] | None:
    """Those of its subjectAltName, the only ones that clients look at (RFC 9525, section 2); None: it has none."""
    try:
        said = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return None
    except ValueError:
        raise CertificateError("its subjectAltName can't be read") from None
    return [*_usable(said.get_values_for_type(x509.DNSName)), *map(str, said.get_values_for_type(x509.IPAddress))]


def _usable(names: Iterable[str]) -> Iterable[str]:
    for name in names:
        written = name.lower().removesuffix(".")
        if naming.is_spelled(written.removeprefix(WILDCARD)) and not _is_address(written):
            yield written


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _kind(public: PublicKeyTypes) -> str:
    if isinstance(public, ec.EllipticCurvePublicKey):
        return f"ECDSA {CURVES.get(public.curve.name, public.curve.name)}"
    if isinstance(public, rsa.RSAPublicKey):
        return f"RSA {public.key_size}"
    return "Ed25519" if isinstance(public, ed25519.Ed25519PublicKey) else "Ed448"


def _common_name(name: x509.Name) -> str:
    """For a person: the common name, else all of it. Text of others: safe_text.printable it before a terminal has it."""
    found = name.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(found[0].value) if found else name.rfc4514_string()


def _written(key: PrivateKeyTypes) -> bytes:
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
