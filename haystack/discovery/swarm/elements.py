"""A long JSON list whose elements are known from the time before: what has not changed is not read again.

The tasks of a large Swarm are some 25 MB of text, and nearly all of it is the same at each poll. An element whose text is known is the very
object of the time before, which is how others see quickly what has changed. Elements are told apart by how Docker writes them; a list that
is written otherwise is read as well, but as a whole. Never does: reading a socket, knowing what an element means.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import chain
from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")
BEGINNING = b'{"ID":"'
BOUNDARY = b"}," + BEGINNING  # between two elements; within one it may stand, too, but in no string: there quotes are escaped
LONGEST = 64 << 20  # bytes of an element, of what is no list, or of a list that is written otherwise
SHOWN = 80  # characters of an element that can't be used
Key = tuple[int, int]  # a text's hash, which differs from process to process, and its length

_RAW = msgspec.json.Decoder(list[msgspec.Raw] | None)


class Elements(Generic[T]):
    """kind: of an element; make: of a type that JSON has not, and what stands there in JSON, makes one of it.

    bad: of each that could not be used in the last list, its beginning and why.
    """

    def __init__(self, kind: type[T], make: Callable[[type, object], object] | None = None) -> None:
        self.bad: tuple[str, ...] = ()
        self._decoder = msgspec.json.Decoder(kind, dec_hook=make)
        self._known: dict[Key, T] = {}

    def read(self, chunks: Iterable[bytes]) -> list[T]:
        """The elements of the list that these octets say. Raises ValueError where they say none: then nothing is known any more."""
        before, self._known = self._known, {}
        bad: list[str] = []
        found: list[T] = []
        begun = b""
        for piece in _pieces(chunks):
            text = begun + piece
            try:
                found.append(self._element(text, before))
            except msgspec.DecodeError as error:
                if not isinstance(error, msgspec.ValidationError) or not _is_whole(text):
                    begun = _bounded(text + b",")
                    continue
                bad.append(_told(text, error))
            begun = b""
        for raw in _RAW.decode(b"[" + begun.removesuffix(b",") + b"]") or ():
            try:
                found.append(self._element(bytes(raw), before))
            except msgspec.ValidationError as error:
                bad.append(_told(bytes(raw), error))
        self.bad = tuple(bad)
        return found

    def _element(self, text: bytes, before: dict[Key, T]) -> T:
        """The element of this text. Raises msgspec.DecodeError: it is not whole; msgspec.ValidationError: or it can't be used."""
        key = hash(text), len(text)
        one = before.get(key)
        if one is None:
            one = self._decoder.decode(text)
        self._known[key] = one
        return one


def _pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """What stands between the boundaries: elements, most often. Raises ValueError where no list begins, or it does not end."""
    parts = filter(None, chunks)
    text = next(parts, b"").lstrip()
    if text[:1] != b"[":
        for chunk in parts:
            text = _bounded(text + chunk)
        if text.strip() != b"null":  # which Go makes of a list without elements
            raise ValueError("it is no list")
        return
    text, opened = text[1:], b""
    for chunk in chain(parts, [b""]):
        *whole, text = (text + chunk).split(BOUNDARY)
        for each in whole:
            yield opened + each + b"}"
            opened = BEGINNING
        _bounded(text)
    text = text.rstrip()
    if not text.endswith(b"]"):
        raise ValueError("a list that does not end")
    if last := (opened + text[:-1]).strip():
        yield last


def _bounded(text: bytes) -> bytes:
    if len(text) > LONGEST:
        raise ValueError(f"more than {LONGEST} bytes that are no whole element of a list")
    return text


def _is_whole(text: bytes) -> bool:
    try:
        msgspec.json.decode(text, type=msgspec.Raw)
    except msgspec.DecodeError:
        return False
    return True


def _told(text: bytes, error: msgspec.DecodeError) -> str:
    return f"{text[:SHOWN].decode(errors='replace')}: {error}"
