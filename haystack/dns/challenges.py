"""TXT records from inside: what shows a certificate authority that a name is ours (RFC 8555, section 8.4), under `_acme-challenge`.

Never does: talk to an authority. Whoever asks for a certificate puts a challenge here and takes it away afterwards; everybody may ask
for it.
"""

from __future__ import annotations

from collections.abc import Callable

from haystack.dns import wire
from haystack.model.snapshot import RawRecord, Records

LABEL = "_acme-challenge"
PREFIX = bytes((len(LABEL),)) + LABEL.encode()
SOURCE = "challenges"
LONGEST = 255  # octets of one character string (RFC 1035, section 3.3.14)
TTL = 0  # a second challenge for the same name may follow at once


class Challenges:
    """publish: takes all records that there are now, by their names (Registry.take_records)."""

    def __init__(self, publish: Callable[[Records], None]) -> None:
        self._publish = publish
        self._texts: dict[bytes, dict[str, None]] = {}

    def put(self, name: str, text: str) -> None:
        """Answer for `_acme-challenge.NAME` with this text, beside others. Raises ValueError where name or text can't be."""
        if not 0 < len(text.encode()) <= LONGEST:
            raise ValueError(f"a challenge has 1 to {LONGEST} octets")
        self._texts.setdefault(wire.name(f"{LABEL}.{name}"), {})[text] = None
        self._tell()

    def remove(self, name: str, text: str) -> None:
        """No more of that; one that is not there is no error."""
        key = wire.name(f"{LABEL}.{name}")
        texts = self._texts.get(key, {})
        texts.pop(text, None)
        if not texts:
            self._texts.pop(key, None)
        self._tell()

    def _tell(self) -> None:
        self._publish({key: tuple(_record(text) for text in texts) for key, texts in self._texts.items()})


def _record(text: str) -> RawRecord:
    data = text.encode()
    return wire.TXT, TTL, bytes((len(data),)) + data
