"""Values of HAYSTACK_ACME and what belongs to it: text → what it means, or ValueError saying what is wrong with it. Pure."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

from haystack.model import spelling

KNOWN = {
    "letsencrypt": "https://acme-v02.api.letsencrypt.org/directory",
    "letsencrypt-staging": "https://acme-staging-v02.api.letsencrypt.org/directory",
}
OFF = "off"
TAKES = "off, letsencrypt, letsencrypt-staging, or the https URL of an authority's directory"
CHALLENGES = ("http-01", "tls-alpn-01", "dns-01")
MOST_WORD = 128
LEAST_SECRET = 16  # characters of base64url: authorities give 43 and more
_KID = re.compile(r"[!-~]+")
_EMAIL = re.compile(r"[^\s@,<>\"()\[\]:;?&\\]+@[A-Za-z0-9.-]+\.?[A-Za-z0-9-]+")


def authority(value: object) -> str:
    """The URL of the authority's directory, or off."""
    text = str(value).strip()
    if spelling.truth(text) is False:
        return OFF
    if text.lower() in KNOWN:
        return KNOWN[text.lower()]
    parts = urlsplit(text)
    if (
        parts.scheme != "https"
        or not parts.hostname
        or not _has_port(parts)
        or parts.username is not None
        or re.search(r"\s", text)
        or not text.isascii()
    ):
        raise ValueError("neither a known authority nor an https URL")
    return text


def _has_port(parts: SplitResult) -> bool:
    """Whether its port is one, or the usual one."""
    try:
        return parts.port != 0
    except ValueError:
        return False


def is_public(url: str) -> bool:
    """Whether that authority issues certificates for names of the internet alone."""
    return url in KNOWN.values()


def email(value: object) -> str:
    """An address, without mailto:."""
    text = str(value).strip().removeprefix("mailto:")
    if not _EMAIL.fullmatch(text):
        raise ValueError("not an email address")
    return text


def binding(value: object) -> str:
    """KID:HMAC, the latter base64url."""
    kid, _, secret = str(value).strip().rpartition(":")
    if not kid or not _KID.fullmatch(kid):
        raise ValueError("there is no KID before the last colon")
    if not re.fullmatch(r"[A-Za-z0-9_-]+=*", secret):
        raise ValueError("the HMAC key is not base64url")
    if len(secret) < LEAST_SECRET:
        raise ValueError(f"the HMAC key has {len(secret)} characters: authorities give {LEAST_SECRET} at least")
    return f"{kid}:{secret}"


def challenges(value: object) -> tuple[str, ...]:
    """Kinds of challenges in the order of preference, each once."""
    if isinstance(value, tuple):
        return value
    found = tuple(dict.fromkeys(part.lower() for part in spelling.parts(str(value))))
    if not found or not set(found) <= set(CHALLENGES):
        raise ValueError("not a list of challenges")
    return found


def word(value: object) -> str:
    """A name that an authority has given to something of its own."""
    text = str(value).strip()
    if not text or len(text) > MOST_WORD or not text.isprintable() or not text[0].isalnum():
        raise ValueError("not such a name")
    return text
