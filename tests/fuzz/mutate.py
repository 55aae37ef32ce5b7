"""Small damage to messages, from a seed: what hypothesis and libFuzzer find late, this does at once, with words that HTTP knows."""

from __future__ import annotations

from ast import literal_eval
from pathlib import Path
from random import Random

CORPUS = Path(__file__).with_name("corpus")
DICTIONARY = Path(__file__).with_name("http.dict")

# literal_eval knows all that libFuzzer's format has
WORDS = [literal_eval("b" + line) for line in DICTIONARY.read_text().splitlines() if line.startswith('"')]


def corpus(name: str) -> dict[str, bytes]:
    """The files of one target's corpus, by their names."""
    return {path.name: path.read_bytes() for path in sorted((CORPUS / name).iterdir())}


def mutated(random: Random, data: bytes, others: list[bytes], deeds: int = 3) -> bytes:
    """data after 1 to `deeds` damages; others: messages to take pieces from."""
    found = bytearray(data)
    for _ in range(random.randint(1, deeds)):
        _damage(random, found, others)
    return bytes(found)


def _damage(random: Random, data: bytearray, others: list[bytes]) -> None:
    at = random.randint(0, len(data))
    end = min(len(data), at + random.choice((1, 1, 1, 2, 4, 16)))
    match random.randrange(7):
        case 0:
            data[at:end] = bytes([random.randrange(256)])
        case 1:
            del data[at:end]
        case 2:
            data[at:at] = random.choice(WORDS)
        case 3:
            data[at:end] = random.choice(WORDS)
        case 4:
            data[at:at] = data[at:end]
        case 5:
            other = random.choice(others)
            start = random.randint(0, len(other))
            data[at:] = other[start:]
        case _:
            lines = bytes(data).split(b"\r\n")
            line = random.choice(lines)
            lines.insert(random.randint(0, len(lines)), line)
            data[:] = b"\r\n".join(lines)
