"""Makes foreign text fit for a terminal, a log line or JSON on a terminal: nothing in it can move the cursor or forge a line.

Names, images, hosts and request targets come from whoever starts a container or sends a request; a shell that prints
them as they are hands its terminal to them (escape sequences, carriage returns, right-to-left overrides).
"""

from __future__ import annotations

import unicodedata

# The last characters of Latin-1 and of Unicode's first plane: what two and four hex digits can say.
LATIN, BASIC = 0xFF, 0xFFFF
# Control, format (bidirectional overrides, zero width), surrogate, private use, unassigned, line and paragraph separators.
UNSAFE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def printable(value: object) -> str:
    r"""`value` as one line of visible characters; the others become ``\xNN``, ``\uNNNN`` or ``\UNNNNNNNN``."""
    text = str(value)
    if text.isascii() and text.isprintable():
        return text
    return "".join(escaped(c) if unicodedata.category(c) in UNSAFE else c for c in text)


def printable_json(text: str) -> str:
    r"""JSON text that means the same with every unsafe character but line feeds as ``\uNNNN``, which JSON can read back."""
    if text.isascii() and "\x7f" not in text:
        return text
    return "".join(json_escaped(c) if c != "\n" and unicodedata.category(c) in UNSAFE else c for c in text)


def escaped(character: str) -> str:
    """One character as Python would write it in a literal."""
    code = ord(character)
    if code <= LATIN:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= BASIC else f"\\U{code:08x}"


def json_escaped(character: str) -> str:
    """One character as JSON writes it: UTF-16 code units (RFC 8259, section 7)."""
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[i]:02x}{units[i + 1]:02x}" for i in range(0, len(units), 2))
