"""Hides the users and passwords that stand in URLs, before a text is shown or logged."""

from __future__ import annotations

import re

_USERINFO = re.compile(r"([a-z][a-z0-9+.-]*://)[^\s,'\"/]*@", re.IGNORECASE)
_ANY_USERINFO = re.compile(r"(^|[\s,'\"/])[^\s,'\"/]+@")


def masked(text: str) -> str:
    """The text with the user and password of every URL in it hidden (RFC 3986, section 3.2.1)."""
    return _USERINFO.sub(r"\1***@", text)


def masked_anywhere(text: str) -> str:
    """The same of what was meant to be a URL, with or without a scheme."""
    return _ANY_USERINFO.sub(r"\1***@", text)
