"""What a certificate is, and why one can't be used."""

from __future__ import annotations

import base64
import dataclasses
import datetime as dt
import ssl

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from haystack.tls import certificates
from haystack.tls.certificates import CertificateError
from tests.fakes.pki import self_signed


def pem_of(key) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def test_names_are_those_of_the_subject_alternative_name(authority):
    found = certificates.read(*authority.issue("Www.Example.com", "*.example.com", "192.0.2.1", "2001:db8::1"))
    assert found.names == ("www.example.com", "*.example.com", "192.0.2.1", "2001:db8::1")
    assert found.kind == "ECDSA P-256"
    assert "trustme" in found.issuer
    assert found.is_valid()
    assert found.flaw() == ""


def test_without_one_the_common_name_counts():
    assert certificates.read(*self_signed("old.example.com")).names == ("old.example.com",)


def test_of_one_that_a_server_shows_it_does_not_count_for_clients_do_not_look_at_it():
    der = ssl.PEM_cert_to_DER_cert(self_signed("old.example.com")[0].decode())
    assert certificates.shown(der).names == ()


def test_one_for_no_name_is_refused():
    with pytest.raises(CertificateError, match="for no host name"):
        certificates.read(*self_signed("Some Company"))


OID = b"\x06\x03\x2a\x03"  # 1.2.3.x


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        (b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x05"),  # version 6
        (OID + b"\x05", OID + b"\x04"),  # an extension twice
        (b"www.example.com", b"www.ex\xffmple.com"),  # no name
        (b"20600101000000Z", b"20609901000000Z"),  # no time
        (b"\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x02", b"\x06\x08\x2a\x86\x48\xce\x3d\x04\x03\x7f"),  # no known signature
    ],
)
def test_whatever_can_not_be_read_of_it_is_told_in_the_same_way(good, bad):
    key, subject = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    start = dt.datetime(2060, 1, 1, tzinfo=dt.UTC)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), 1, start, start.replace(year=2070))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName("www.example.com")]), critical=False)
    for last in "45":
        builder = builder.add_extension(x509.UnrecognizedExtension(x509.ObjectIdentifier(f"1.2.3.{last}"), b""), critical=False)
    whole = builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
    assert good in whole
    assert certificates.read(pem_block(whole), pem_of(key)).names == ("www.example.com",)
    with pytest.raises(CertificateError):
        certificates.read(pem_block(whole.replace(good, bad)), pem_of(key))


def pem_block(der: bytes) -> bytes:
    return b"-----BEGIN CERTIFICATE-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE-----\n"


@pytest.mark.parametrize(
    ("name", "covered"),
    [
        ("a.example.com", True),
        ("example.com", False),
        ("a.b.example.com", False),
        ("www.example.org", True),
        ("example.org", False),
        ("com", False),
    ],
)
def test_a_wildcard_covers_one_label(authority, name, covered):
    assert certificates.read(*authority.issue("*.example.com", "www.example.org")).covers(name) is covered


def test_the_leaf_is_that_of_the_key_wherever_it_stands(authority):
    chain, key = authority.issue("a.example.com")
    root = authority.path.read_bytes()
    assert certificates.read(root + chain, key).chain.startswith(chain[:200])
    assert certificates.read(b"some text\n" + key + b"and more\n" + chain, key).names == ("a.example.com",)
    assert certificates.read_both(chain + key).fingerprint == certificates.read_both(key + chain).fingerprint


def test_a_key_of_another_certificate_is_refused(authority):
    (chain, _), (_, key) = authority.issue("a.example.com"), authority.issue("a.example.com")
    with pytest.raises(CertificateError, match="not that of the certificate"):
        certificates.read(chain, key)


def test_a_key_with_a_password_is_refused(authority):
    chain, key = authority.issue("a.example.com")
    locked = load_pem_private_key(key, None).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    with pytest.raises(CertificateError, match="password"):
        certificates.read(chain, locked)


@pytest.mark.parametrize(
    ("chain", "key", "why"),
    [
        (b"", b"", "no private key"),
        (b"\x00\xff" * 9, b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "can't be read"),
        (b"", pem_of(ec.generate_private_key(ec.SECP256R1())), "no certificate"),
        (
            b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            pem_of(ec.generate_private_key(ec.SECP256R1())),
            "can't be read",
        ),
        (b"", pem_of(dsa.generate_private_key(2048)), "of a kind that TLS does not use"),
        (b"x" * (certificates.MOST + 1), b"", "too long"),
        (b"", pem_of(ec.generate_private_key(ec.SECP256R1())) * 2, "2 private keys"),
    ],
)
def test_what_can_not_be_read_is_refused_in_one_line(chain, key, why):
    with pytest.raises(CertificateError, match=why) as raised:
        certificates.read(chain, key)
    assert "\n" not in str(raised.value)
    assert "AAAA" not in str(raised.value)


@pytest.mark.parametrize(
    ("key", "why"),
    [
        (ec.generate_private_key(ec.SECP256K1()), "its curve is secp256k1"),
        (rsa.generate_private_key(65537, 1024), "its RSA key has 1024 bits"),  # noqa: S505
    ],
)
def test_weak_ones_are_refused(key, why):
    with pytest.raises(CertificateError, match=why):
        certificates.read(*self_signed("a.example.com", key=key))


def test_an_expired_one_is_read_and_says_so(authority):
    found = certificates.read(*authority.issue("a.example.com", expired=True))
    assert not found.is_valid()
    assert "it expired on 20" in found.flaw()
    assert "it is not valid before 20" in found.flaw(found.not_before - 1)


def test_its_key_is_in_no_text_of_it(authority):
    found = certificates.read(*authority.issue("a.example.com"))
    assert b"PRIVATE KEY" in found.key
    assert "PRIVATE" not in repr(found)
    assert "key" not in {each.name for each in dataclasses.fields(found) if each.repr}
