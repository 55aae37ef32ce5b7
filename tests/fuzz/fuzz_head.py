"""Fuzz target: any bytes as the head of a request and of a response, before our parser, the rules, llhttp and h11."""

from __future__ import annotations

from zlib import crc32

from haystack._fast import testing
from tests.differential import compare
from tests.fuzz import run

Parsed = tuple[int, bytes | int, bytes, int, list[tuple[bytes, bytes]], int, bool]


def one(data: bytes) -> None:
    """Check what is read of data, and that it does not depend on where it is cut."""
    cut = crc32(data) % (len(data) + 1)
    for request in (True, False):
        compare.heads(data, request=request)
        parse = testing.request_head if request else testing.response_head
        whole, part = parse(data), parse(data[:cut])
        if isinstance(whole, tuple):
            assert 0 < whole[0] <= len(data)
            assert part == (whole if cut >= whole[0] else 0), cut
            again(whole, request=request)
        elif part != whole:
            assert part == 0, cut


def again(parsed: Parsed, *, request: bool) -> None:
    """Written in its normal form, a head is read as the same one."""
    _, first, second, minor, fields, length, chunked = parsed
    line = b"%s %s HTTP/1.%d" % (first, second, minor) if request else b"HTTP/1.%d %d %s" % (minor, first, second)
    written = b"\r\n".join([line, *(b"%s: %s" % field for field in fields), b"", b""])
    parse = testing.request_head if request else testing.response_head
    assert parse(written) == (len(written), first, second, minor, fields, length, chunked), written


if __name__ == "__main__":
    run.main(one)
