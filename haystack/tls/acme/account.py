"""Our account at an authority (RFC 8555, section 7.3): made once, found again by its key, which never leaves the state folder."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from haystack.tls.acme import jose
from haystack.tls.acme.client import Client, Signer
from haystack.tls.acme.errors import RefusedError, UnreachableError


@dataclass(frozen=True, slots=True)
class Binding:
    """What an authority gave that binds accounts to those of its own (section 7.3.4). secret: base64url, as it was given."""

    kid: str
    secret: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the settings say of an account. Its terms of service are agreed to by HAYSTACK_ACME itself (docs/certificates.md)."""

    email: str = ""
    binding: Binding | None = None

    @property
    def contact(self) -> list[str]:
        """As section 7.3 has it."""
        return [f"mailto:{self.email}"] if self.email else []


class Kept(msgspec.Struct, frozen=True):
    """An account as it is kept. key: PEM; url: empty before it is registered; email: the contact that the authority has."""

    key: str
    url: str = ""
    email: str = ""

    def __repr__(self) -> str:
        """Without the key."""
        return f"Kept(url={self.url!r})"


def new() -> Kept:
    """One that nobody knows yet."""
    return Kept(pem(new_key()))


def new_key() -> ec.EllipticCurvePrivateKey:
    """ECDSA P-256."""
    return ec.generate_private_key(ec.SECP256R1())


def pem(key: ec.EllipticCurvePrivateKey) -> str:
    """As it is kept."""
    return key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()


def read_key(text: str) -> ec.EllipticCurvePrivateKey:
    """The key of such PEM. Raises ValueError."""
    key = serialization.load_pem_private_key(text.encode(), None)
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ValueError("not an ECDSA P-256 key")  # noqa: TRY004 - a file's content
    return key


async def registered(client: Client, kept: Kept, wishes: Wishes) -> Kept:
    """The account as the authority has it by now: registered where it is not yet, with the contact that is wished. Raises AcmeError."""
    if not kept.url:
        return await _register(client, kept, wishes)
    if kept.email != wishes.email:
        await client.post(kept.url, Signer(read_key(kept.key), kept.url), {"contact": wishes.contact})
    return Kept(kept.key, kept.url, wishes.email)


async def _register(client: Client, kept: Kept, wishes: Wishes) -> Kept:
    """Section 7.3; with a key that the authority knows already it is found again (section 7.3.1)."""
    directory, key = await client.directory(), read_key(kept.key)
    asked: dict[str, Any] = {"termsOfServiceAgreed": True, "contact": wishes.contact}
    if wishes.binding is not None:
        secret = jose.unb64u(wishes.binding.secret)
        asked["externalAccountBinding"] = jose.bound(key, wishes.binding.kid, secret, directory.new_account)
    elif directory.meta.external_account_required:
        raise RefusedError("externalAccountRequired", "set HAYSTACK_ACME_EAB to the key id and the HMAC key that it gave you", 403)
    answer = await client.post(directory.new_account, Signer(key), asked)
    if not (url := answer.headers.get("location", "")):
        raise UnreachableError("it has not said which account is ours")
    return Kept(kept.key, url, wishes.email)
