"""Signed requests as RFC 7515, 7638 and 8555 have them."""

from __future__ import annotations

import hashlib
import hmac
import json

import pytest
from cryptography.exceptions import InvalidSignature

from haystack.tls.acme import account, jose
from tests.fakes.acme import public, verify

SECRET = b"0123456789abcdef0123456789abcdef"


@pytest.fixture
def key():
    return account.new_key()


def test_a_request_is_signed_and_says_by_whom(key):
    body = json.loads(jose.signed(key, {"nonce": "n", "url": "https://ca/x", "kid": "k"}, b'{"a":1}'))
    assert json.loads(jose.unb64u(body["protected"])) == {"alg": "ES256", "nonce": "n", "url": "https://ca/x", "kid": "k"}
    assert jose.unb64u(body["payload"]) == b'{"a":1}'
    verify(public(jose.jwk(key)), body)
    with pytest.raises(InvalidSignature):
        verify(public(jose.jwk(key)), {**body, "payload": ""})


def test_post_as_get_has_an_empty_payload(key):
    assert json.loads(jose.signed(key, {}, b""))["payload"] == ""


def test_the_thumbprint_is_of_the_members_in_the_order_of_their_names_without_blanks(key):
    told = jose.jwk(key)
    text = json.dumps(told, sort_keys=True, separators=(",", ":")).encode()
    assert jose.thumbprint(key) == jose.b64u(hashlib.sha256(text).digest())
    assert public(told) == key.public_key()


def test_a_binding_is_the_accounts_key_signed_with_the_secret(key):
    found = jose.bound(key, "kid-1", SECRET, "https://ca/new-account")
    assert json.loads(jose.unb64u(found["protected"])) == {"alg": "HS256", "kid": "kid-1", "url": "https://ca/new-account"}
    assert json.loads(jose.unb64u(found["payload"])) == jose.jwk(key)
    assert jose.unb64u(found["signature"]) == hmac.digest(SECRET, f"{found['protected']}.{found['payload']}".encode(), "sha256")


@pytest.mark.parametrize("data", [b"", b"a", b"ab", b"abc", bytes(range(256))])
def test_base64url_has_no_padding_and_can_be_read_back(data):
    text = jose.b64u(data)
    assert "=" not in text
    assert not data or jose.unb64u(text) == data


@pytest.mark.parametrize("text", ["", "a b", "a+b/", "ä"])
def test_what_is_not_base64url_is_refused(text):
    with pytest.raises(ValueError, match="not base64url"):
        jose.unb64u(text)


def test_keys_are_in_no_repr(key):
    kept = account.Kept(account.pem(key), "https://ca/acct/1")
    assert "PRIVATE" not in repr(kept)
    assert "c2VjcmV0" not in repr(account.Binding("kid", "c2VjcmV0"))
    assert account.read_key(kept.key).private_numbers() == key.private_numbers()
