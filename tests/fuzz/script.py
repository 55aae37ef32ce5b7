"""What happens to an exchange, as bytes that a fuzzer can change: a row of deeds, each with the bytes that it sends.

A record is one byte for the deed (modulo their number), two for the size (low byte first, cut to what is there), and the bytes.
Any bytes are a script; `python -m tests.fuzz.script FILE` tells one.
"""

from __future__ import annotations

import sys
from enum import IntEnum
from pathlib import Path
from random import Random

from tests.fuzz.mutate import mutated


class Deed(IntEnum):
    """Client: the one that connected last. Endpoint: its connection that was asked last."""

    CLIENT_SENDS = 0
    ENDPOINT_SENDS = 1
    ENDPOINT_ANSWERS = 2  # a plain 200
    CLIENT_ENDS = 3  # half closed
    ENDPOINT_ENDS = 4  # half closed
    CLIENT_GOES = 5
    ENDPOINT_GOES = 6
    CLIENT_COMES = 7  # another one; those before it stay
    TIME_IS_UP = 8  # for every deadline that is set
    NOBODY_READS = 9  # until it comes again
    CLIENT_FLOODS = 10  # with its bytes over and over, more than sockets hold
    ENDPOINT_FLOODS = 11
    TRACED = 12  # from here on
    AT_ONCE = 13  # the deeds after it, so many as its byte says, happen before the worker has its turn
    TABLE = 14  # which endpoints the service has from here on, and how it is: two bytes, as in service.py
    ENDPOINT_RESETS = 15
    OTHER_CLIENT = 16  # from here on it is the one whose turn was longest ago
    OTHER_ENDPOINT = 17  # from here on it is the connection that was asked before
    LOGGED = 18  # from here on, and traced
    DRAINS = 19  # the worker does, from here on
    TELLS = 20  # the worker does, of what it has counted
    RESTS = 21  # long enough for sessions of HTTP/2 that nothing is asked of to be packed, and for no deadline


Script = list[tuple[Deed, bytes]]


def read(data: bytes) -> Script:
    """The deeds of a script, in order."""
    found, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at + 1 : at + 3], "little")
        found.append((Deed(data[at] % len(Deed)), data[at + 3 : at + 3 + size]))
        at += 3 + size
    return found


def written(script: Script) -> bytes:
    """The bytes that `read` makes this script of."""
    return b"".join(bytes([deed]) + len(data).to_bytes(2, "little") + data for deed, data in script)


def told(data: bytes) -> str:
    """A script for people."""
    return "\n".join(f"{deed.name:16} {payload!r}" for deed, payload in read(data))


def changed(random: Random, data: bytes, others: list[bytes]) -> bytes:
    """A script with deeds dropped, doubled, split, moved, taken from another script, or their bytes damaged."""
    script = read(data) or [(Deed.CLIENT_SENDS, b"")]
    for _ in range(random.randint(1, 3)):
        at = random.randrange(len(script))
        deed, payload = script[at]
        match random.randrange(7):
            case 0 if len(script) > 1:
                del script[at]
            case 1:
                script.insert(random.randint(0, len(script)), random.choice(script))
            case 2 if payload:
                cut = random.randrange(len(payload))
                script[at : at + 1] = [(deed, payload[:cut]), (deed, payload[cut:])]
            case 3:
                script.insert(at, (Deed(random.randrange(len(Deed))), payload[:8]))
            case 4:
                script[at] = (Deed(random.randrange(len(Deed))), payload)
            case 5 if others:
                script.extend(read(random.choice(others)))
            case _:
                script[at] = (deed, mutated(random, payload, [p for _, p in script])[:0xFFFF])
    return written(script)


if __name__ == "__main__":
    print(told(Path(sys.argv[1]).read_bytes()))
