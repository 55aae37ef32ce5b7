"""Signed requests: base64url, JSON Web Keys and flattened JSON Web Signatures (RFC 7515, 7517, 7638), as RFC 8555 section 6.2 has them.

ES256 for the account, HS256 for the binding to an account elsewhere (section 7.3.4). Pure.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils

OCTETS = 32  # of a coordinate of P-256, and of each half of a signature (RFC 7518, sections 3.4 and 6.2.1)


def b64u(data: bytes) -> str:
    """Without padding (RFC 7515, section 2)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64u(text: str) -> bytes:
    """The data of such a text. Raises ValueError."""
    if not text or text.strip("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_="):
        raise ValueError("not base64url")
    return base64.urlsafe_b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4))


def jwk(key: ec.EllipticCurvePrivateKey) -> dict[str, str]:
    """The public half, its members in the order that the thumbprint needs (RFC 7638, section 3)."""
    point = key.public_key().public_numbers()
    return {"crv": "P-256", "kty": "EC", "x": b64u(point.x.to_bytes(OCTETS, "big")), "y": b64u(point.y.to_bytes(OCTETS, "big"))}


def thumbprint(key: ec.EllipticCurvePrivateKey) -> str:
    """Of the public half."""
    return b64u(hashlib.sha256(msgspec.json.encode(jwk(key))).digest())


def signed(key: ec.EllipticCurvePrivateKey, header: Mapping[str, Any], payload: bytes) -> bytes:
    """A request's body. payload: JSON, or nothing for POST-as-GET."""

    def sign(data: bytes) -> bytes:
        r, s = utils.decode_dss_signature(key.sign(data, ec.ECDSA(hashes.SHA256())))
        return r.to_bytes(OCTETS, "big") + s.to_bytes(OCTETS, "big")

    protected = {"alg": "ES256", **header}
    return msgspec.json.encode(_flattened(protected, payload, sign))


def bound(key: ec.EllipticCurvePrivateKey, kid: str, secret: bytes, url: str) -> dict[str, str]:
    """The external account binding: the account's public key, signed with what the authority has given (RFC 8555, section 7.3.4)."""
    header = {"alg": "HS256", "kid": kid, "url": url}
    return _flattened(header, msgspec.json.encode(jwk(key)), lambda data: hmac.digest(secret, data, "sha256"))


def _flattened(header: Mapping[str, Any], payload: bytes, sign: Any) -> dict[str, str]:
    protected, body = b64u(msgspec.json.encode(header)), b64u(payload)
    return {"protected": protected, "payload": body, "signature": b64u(sign(f"{protected}.{body}".encode()))}
