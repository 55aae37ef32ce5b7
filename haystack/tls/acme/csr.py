"""What is made with a certificate's key: the request for it, and what shows that a name is ours by tls-alpn-01. Pure."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from haystack.tls.acme import jose

ACME_IDENTIFIER = x509.ObjectIdentifier("1.3.6.1.5.5.7.1.31")  # RFC 8737, section 3
_LIFETIME = dt.timedelta(days=7)
_OCTET_STRING = b"\x04\x20"  # DER: of 32 octets


def request(key: ec.EllipticCurvePrivateKey, names: Sequence[str]) -> bytes:
    """A PKCS #10 request in DER. The names stand in subjectAltName alone (RFC 8555, section 7.4)."""
    builder = x509.CertificateSigningRequestBuilder(subject_name=x509.Name([]))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name) for name in names]), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def alpn_certificate(key: ec.EllipticCurvePrivateKey, name: str, proof: bytes) -> bytes:
    """The self-signed certificate, PEM, that a CA gets for `acme-tls/1`. proof: SHA-256 of the key authorization."""
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "haystack")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.UnrecognizedExtension(ACME_IDENTIFIER, _OCTET_STRING + proof), critical=True)
        .sign(key, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


def renewal_id(chain: bytes) -> str:
    """How the authority finds the first certificate of PEM when it is asked for its renewal (RFC 9773, section 4.1); empty: it can't."""
    leaf = x509.load_pem_x509_certificate(chain)
    try:
        issuer = leaf.extensions.get_extension_for_class(x509.AuthorityKeyIdentifier).value.key_identifier
    except x509.ExtensionNotFound:
        return ""
    serial = leaf.serial_number
    return f"{jose.b64u(issuer)}.{jose.b64u(serial.to_bytes(serial.bit_length() // 8 + 1, 'big'))}" if issuer else ""


def issuers(chain: bytes) -> tuple[str, ...]:
    """The common names of the issuers in a chain of PEM, that of its last certificate last. Raises ValueError."""
    found = x509.load_pem_x509_certificates(chain)
    names = (each.issuer.get_attributes_for_oid(x509.NameOID.COMMON_NAME) for each in found)
    return tuple(str(each[0].value) if each else "" for each in names)
