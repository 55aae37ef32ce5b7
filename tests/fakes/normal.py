"""A reader of what an origin was sent that forgives nothing: one normal form of HTTP/1.1, or an error.

The judge of the desync tests. It shares no code with the proxy, and knows less: what it can't read in one way only is an error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

LINE = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+ [\x21-\x7e\x80-\xff]+ HTTP/1\.1\Z")
FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+): ?((?:[\x21-\x7e\x80-\xff](?:[\t\x20-\x7e\x80-\xff]*[\x21-\x7e\x80-\xff])?)?)\Z")
LENGTH = re.compile(rb"0\Z|[1-9][0-9]{0,17}\Z")
SIZE = re.compile(rb"[1-9a-fA-F][0-9a-fA-F]{0,14}\Z")


class AbnormalError(AssertionError):
    """Bytes that two readers might take for different requests."""


@dataclass(frozen=True)
class Normal:
    """One request: its line, its fields in order (names in lower case), its body decoded. whole: False when its body broke off."""

    line: bytes
    fields: tuple[tuple[bytes, bytes], ...]
    body: bytes
    whole: bool

    def all(self, name: bytes) -> list[bytes]:
        return [value for key, value in self.fields if key == name]


def requests(wire: bytes) -> Iterator[Normal]:
    """The requests of one connection, from its first byte to its last. Raises AbnormalError."""
    while wire:
        head, end, rest = wire.partition(b"\r\n\r\n")
        if not end:
            raise AbnormalError(f"a head that does not end: {head[-80:]!r}")
        line, *lines = head.split(b"\r\n")
        if not LINE.match(line):
            raise AbnormalError(f"no request line: {line!r}")
        fields = tuple(_field(each) for each in lines)
        body, whole, wire = _body(fields, rest)
        yield Normal(line, fields, body, whole)


def _field(line: bytes) -> tuple[bytes, bytes]:
    if not (match := FIELD.match(line)):
        raise AbnormalError(f"no field line: {line!r}")
    return match[1].lower(), match[2]


def _body(fields: tuple[tuple[bytes, bytes], ...], rest: bytes) -> tuple[bytes, bool, bytes]:
    """(body, whole, what follows), by exactly one framing field or none (RFC 9112, section 6.3)."""
    framing = [(k, v) for k, v in fields if k in (b"content-length", b"transfer-encoding")]
    if sum(k == b"host" for k, _ in fields) != 1 or len(framing) > 1:
        raise AbnormalError(f"not one Host, or more than one framing: {fields}")
    if not framing:
        return b"", True, rest
    name, value = framing[0]
    if name == b"transfer-encoding":
        if value != b"chunked":
            raise AbnormalError(f"a coding of its own: {value!r}")
        return _chunks(rest)
    if not LENGTH.match(value):
        raise AbnormalError(f"a length in no normal form: {value!r}")
    size = int(value)
    return rest[:size], len(rest) >= size, rest[size:]


def _chunks(rest: bytes) -> tuple[bytes, bool, bytes]:
    body = b""
    while (at := rest.find(b"\r\n")) >= 0 and rest[:at] != b"0":
        if not SIZE.match(rest[:at]):
            raise AbnormalError(f"no chunk size: {rest[:at]!r}")
        size = int(rest[:at], 16)
        chunk, end, rest = rest[at + 2 : at + 2 + size], rest[at + 2 + size : at + 4 + size], rest[at + 4 + size :]
        body += chunk
        if len(end) < 2:
            return body, False, b""
        if end != b"\r\n":
            raise AbnormalError(f"no end of a chunk: {end!r}")
    if at < 0:
        return body, False, b""
    trailers, end, rest = rest[at:].partition(b"\r\n\r\n")
    for line in trailers.split(b"\r\n")[1:]:
        _field(line)
    return body, bool(end), rest
