"""Blocks of PEM (RFC 7468), found in one pass: a file may be anybody's, and a regular expression tries its end again for each beginning.

Pure. Never does: read what is in a block.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

BEGIN, END, DASHES = b"-----BEGIN ", b"-----END ", b"-----"
_LABEL = re.compile(rb"[A-Z0-9][A-Z0-9 ]*")


def blocks(pem: bytes) -> Iterator[tuple[bytes, bytes]]:
    """(label, the block with both its lines and a line feed), in their order. Text between them is for people, and left out.

    A block ends before the next one begins; what has no end, or more on the line of its end, is none.
    """
    at = pem.find(BEGIN)
    while at >= 0:
        following = pem.find(BEGIN, at + len(BEGIN))
        found = _block(pem[at : following if following >= 0 else len(pem)])
        if found is not None:
            yield found
        at = following


def _block(text: bytes) -> tuple[bytes, bytes] | None:
    """The same of a text that begins with BEGIN and has it once."""
    label, dashes, _ = text[len(BEGIN) :].partition(DASHES)
    if not dashes or not _LABEL.fullmatch(label):
        return None
    last = END + label + DASHES
    end = text.find(last)
    if end < 0:
        return None
    end += len(last)
    return None if text[end:].partition(b"\n")[0].strip(b" \t\r") else (label, text[:end] + b"\n")
