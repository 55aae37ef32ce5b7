"""HAYSTACK_ACME and its sisters: what they take, and what a person is told."""

import pytest

from haystack.settings import authorities
from haystack.settings.settings import SettingsError, load

PORTS = ["https://ca:99999/dir", "https://ca:0/dir", "https://ca:x/dir", "https://[::1/dir"]
SECRET = "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("off", "off"), ("no", "off"), ("letsencrypt", authorities.KNOWN["letsencrypt"]),
        (" LetsEncrypt-Staging ", authorities.KNOWN["letsencrypt-staging"]),
        ("https://ca.example/dir?x=1", "https://ca.example/dir?x=1"), ("https://127.0.0.1:14000/dir", "https://127.0.0.1:14000/dir"),
    ],
)  # fmt: skip
def test_an_authority_is_known_or_an_https_url(text, value):
    assert load({"acme": text}).acme == value


@pytest.mark.parametrize(
    "text", ["on", "http://ca.example/dir", "https://", "https://u:p@ca.example/", "https://ca.example/ x", "zerossl", *PORTS]
)
def test_what_is_none_is_told(text):
    with pytest.raises(SettingsError, match=r"HAYSTACK_ACME: .* it takes off, letsencrypt, letsencrypt-staging, or the https URL"):
        load({"acme": text})


def test_only_lets_encrypt_itself_is_for_names_of_the_internet_alone():
    assert authorities.is_public(load({"acme": "letsencrypt"}).acme)
    assert not authorities.is_public("https://ca.example/dir")


def test_a_binding_is_in_no_text_and_no_complaint(monkeypatch):
    settings = load({"acme_eab": f"a:b:{SECRET}"})
    assert settings.acme_eab == f"a:b:{SECRET}"
    assert SECRET not in f"{settings!r} {settings.shown()}"
    for text in (SECRET, f":{SECRET}", f"kid:{SECRET[:8]}", f"kid:{SECRET} x"):
        with pytest.raises(SettingsError) as error:
            load({"acme_eab": text})
        assert text not in str(error.value)


def test_challenges_are_taken_in_their_order_each_once():
    assert load({"acme_challenges": "DNS-01, http-01,dns-01"}).acme_challenges == ("dns-01", "http-01")
    for text in ("http", "http-01,x"):
        with pytest.raises(SettingsError, match="HAYSTACK_ACME_CHALLENGES"):
            load({"acme_challenges": text})


@pytest.mark.parametrize("text", ["me@example.com", "mailto:me+x@example.co.uk"])
def test_an_email_address(text):
    assert load({"acme_email": text}).acme_email == text.removeprefix("mailto:")


@pytest.mark.parametrize("text", ["me", "me@", "a@b,c@d", "a@b?subject=x", "a b@c"])
def test_what_is_no_email_address(text):
    with pytest.raises(SettingsError, match="HAYSTACK_ACME_EMAIL"):
        load({"acme_email": text})


def test_a_key_of_a_binding_that_is_cut_off_is_told_as_that():
    with pytest.raises(ValueError, match="the HMAC key has 7 characters: authorities give 16 at least"):
        authorities.binding("kid:aGVsbG8")
    with pytest.raises(ValueError, match="not base64url"):
        authorities.binding("kid:" + "+/" * 20)
