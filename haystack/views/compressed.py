"""Long bodies in the gzip format (RFC 1952), made of pieces that are compressed one by one: what has not changed is not compressed again.

One member, so that every client can read it: pieces are deflate blocks that begin at a byte and refer to nothing before them.
"""

from __future__ import annotations

import zlib

from haystack.loop.turns import Turns

HEAD = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x04\xff"  # no name, no time; level: fastest; of an unknown system
LAST = b"\x03\x00"  # an empty block that says that it is the last
FASTEST = 1
CHUNK = 65536


class Gzip:
    """Remembers the pieces of the last body."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[bytes, bytes]] = {}  # by id: the piece, which so stays there, and what it is compressed

    def of(self, pieces: list[bytes]) -> Turns[list[bytes]]:
        """The body, in chunks."""
        kept: dict[int, tuple[bytes, bytes]] = {}
        made, check, size = [HEAD], 0, 0
        for piece in pieces:
            known = self._kept.get(id(piece)) or (piece, deflated(piece))
            kept[id(piece)] = known
            made.append(known[1])
            check = zlib.crc32(piece, check)
            size += len(piece)
            yield
        self._kept = kept
        made += [LAST, check.to_bytes(4, "little") + (size & 0xFFFFFFFF).to_bytes(4, "little")]
        return (yield from chunks(made))


def deflated(piece: bytes) -> bytes:
    """Blocks that can stand anywhere in a stream, except at its end (RFC 1951)."""
    squeezer = zlib.compressobj(FASTEST, zlib.DEFLATED, -zlib.MAX_WBITS)
    return squeezer.compress(piece) + squeezer.flush(zlib.Z_FULL_FLUSH)


def chunks(pieces: list[bytes]) -> Turns[list[bytes]]:
    """The same bytes in fewer parts: each costs some dozens of microseconds to send."""
    made: list[bytes] = []
    some: list[bytes] = []
    size = 0
    for piece in pieces:
        some.append(piece)
        size += len(piece)
        if size >= CHUNK:
            made.append(b"".join(some))
            some, size = [], 0
            yield
    return [*made, b"".join(some)] if some else made
