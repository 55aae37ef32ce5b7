"""The message around spans that workers have written (_fast/log/otlp_span.pyx): OTLP's protocol buffers. Pure; imports nothing of the SDK.

https://protobuf.dev/programming-guides/encoding/, https://github.com/open-telemetry/opentelemetry-proto (opentelemetry/proto/trace/v1).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Value = str | int
Block = bytes | memoryview


class Envelope:
    """What all messages of this process begin with. resource: attributes; name, version: of the scope."""

    def __init__(self, resource: Mapping[str, Value], name: str, version: str) -> None:
        self._resource = _part(0x0A, b"".join(_part(0x0A, _pair(*each)) for each in resource.items()))
        self._scope = _part(0x0A, _part(0x0A, name.encode()) + _part(0x12, version.encode()))

    def message(self, spans: Sequence[Block]) -> bytes:
        """ExportTraceServiceRequest. spans: each block is any number of ScopeSpans.spans, one behind the other."""
        scoped = _begin(0x12, len(self._scope) + sum(map(len, spans)))
        whole = len(self._resource) + len(scoped) + len(self._scope) + sum(map(len, spans))
        return b"".join((_begin(0x0A, whole), self._resource, scoped, self._scope, *spans))


def _pair(name: str, value: Value) -> bytes:
    """KeyValue, with an AnyValue. A lone surrogate, which UTF-8 has no form for, becomes a question mark."""
    kind = b"\x18" + _varint(value) if isinstance(value, int) else _part(0x0A, value.encode(errors="replace"))
    return _part(0x0A, name.encode(errors="replace")) + _part(0x12, kind)


def _part(tag: int, body: bytes) -> bytes:
    """A field of bytes. tag: number and type, of one byte."""
    return _begin(tag, len(body)) + body


def _begin(tag: int, size: int) -> bytes:
    """What stands before a field of so many bytes."""
    return bytes((tag,)) + _varint(size)


def _varint(number: int) -> bytes:
    """Seven bits a byte, the lowest first; a negative number as one of 64 bits without a sign."""
    number &= (1 << 64) - 1
    found = bytearray()
    while number >= 0x80:  # noqa: PLR2004 - another byte follows
        found.append(number & 0x7F | 0x80)
        number >>= 7
    found.append(number)
    return bytes(found)
