"""The data of records as master files write them (RFC 1035, section 5.1) → wire form, without compression: A, AAAA, CNAME, TXT and SRV.

Pure. Every ValueError says what is wrong in a person's words. Between master_file.py and the zone.
"""

from __future__ import annotations

import ipaddress
import re
import struct
from collections.abc import Callable

from haystack.dns import wire

LONGEST_TEXT = 255
LARGEST = 0xFFFF
SHOWN = 60  # characters of a word
SERVED = "A, AAAA, CNAME, TXT or SRV"
_ESCAPED = re.compile(r"\\([0-9]{3}|.)")
_OWN = ("SOA", "NS")


def _octets(word: str) -> bytes:
    r"""A word's octets: `\DDD` is one of them, and what else stands behind a backslash is itself."""
    found, at = bytearray(), 0
    for match in _ESCAPED.finditer(word):
        found += word[at : match.start()].encode()
        found += _octet(match.group(1))
        at = match.end()
    return bytes(found + word[at:].encode())


def _octet(escaped: str) -> bytes:
    if not (escaped.isascii() and escaped.isdigit()):
        return escaped.encode()
    if len(escaped) == 1 or int(escaped) > LONGEST_TEXT:
        raise ValueError(f"\\{escaped} is no octet: \\000 to \\255 are")
    return bytes((int(escaped),))


def name(word: str, origin: bytes) -> bytes:
    """A name in wire form. Raises ValueError."""
    if word == "@":
        return origin
    if not word.isascii():
        raise ValueError(f"{word[:SHOWN]!r} is no name: write other letters than ASCII as xn--")
    parts = re.split(r"(?<!\\)((?:\\\\)*)\.", word)  # at dots with an even number of backslashes before them
    texts = [a + b for a, b in zip(parts[::2], [*parts[1::2], ""], strict=True)]
    absolute = len(texts) > 1 and not texts[-1]
    labels = [_octets(text) for text in (texts[:-1] if absolute else texts)]
    if word == ".":
        labels = []
    if not all(0 < len(label) <= wire.LONGEST_LABEL for label in labels):
        raise ValueError(f"{word[:SHOWN]!r} is no name: a label has 1 to {wire.LONGEST_LABEL} octets")
    found = b"".join(bytes((len(label),)) + label for label in labels) + (b"\0" if absolute else origin)
    if len(found) > wire.LONGEST_NAME:
        raise ValueError(f"{word[:SHOWN]!r} is no name: it is longer than {wire.LONGEST_NAME} octets")
    return found


Words = list[tuple[str, bool]]
Pack = Callable[[Words, bytes], bytes]


def kind_of(word: str) -> tuple[int, Pack]:
    """A type's number, and what its data are packed by. Raises ValueError."""
    found = _TYPES.get(word.upper())
    if found is None:
        hint = ": leave it out, Haystack has its own" if word.upper() in _OWN else f": it takes {SERVED}"
        raise ValueError(f"{word[:SHOWN]!r} records are not possible{hint}")
    return found


def _one(words: Words, what: str) -> str:
    if len(words) != 1:
        raise ValueError(f"it takes one {what}")
    return words[0][0]


def _a(words: Words, _origin: bytes) -> bytes:
    return _address(_one(words, "IPv4 address"), ipaddress.IPv4Address, "IPv4")


def _aaaa(words: Words, _origin: bytes) -> bytes:
    return _address(_one(words, "IPv6 address"), ipaddress.IPv6Address, "IPv6")


def _address(word: str, kind: Callable[[str], ipaddress.IPv4Address | ipaddress.IPv6Address], called: str) -> bytes:
    try:
        return kind("" if "%" in word else word).packed
    except ValueError:
        raise ValueError(f"{word[:SHOWN]!r} is no {called} address") from None


def _cname(words: Words, origin: bytes) -> bytes:
    return name(_one(words, "name"), origin)


def _txt(words: Words, _origin: bytes) -> bytes:
    texts = [_octets(word) for word, _ in words]
    if not texts or any(len(text) > LONGEST_TEXT for text in texts):
        raise ValueError(f"it takes texts of {LONGEST_TEXT} octets at most, each in quotation marks")
    found = b"".join(bytes((len(text),)) + text for text in texts)
    if len(found) > LARGEST:
        raise ValueError("its texts are longer than 65535 octets")
    return found


def _srv(words: Words, origin: bytes) -> bytes:
    numbers = [word for word, _ in words[:3]]
    if len(words) != len(numbers) + 1 or not all(re.fullmatch("[0-9]{1,5}", n) and int(n) <= LARGEST for n in numbers):
        raise ValueError("it takes priority, weight and port, each 0 to 65535, and a name")
    return struct.pack("!3H", *map(int, numbers)) + name(words[3][0], origin)


_TYPES: dict[str, tuple[int, Pack]] = {
    "A": (wire.A, _a), "AAAA": (wire.AAAA, _aaaa), "CNAME": (wire.CNAME, _cname), "TXT": (wire.TXT, _txt), "SRV": (wire.SRV, _srv),
}  # fmt: skip
