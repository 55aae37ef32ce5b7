"""Fuzz target: any bytes as the first of a connection: a TLS ClientHello whose name is looked for, and a header of the PROXY protocol."""

from __future__ import annotations

from zlib import crc32

from haystack._fast.net import testing
from tests.fuzz import run

NAME = b"abcdefghijklmnopqrstuvwxyz0123456789-_."
LONGEST = 255


def one(data: bytes) -> None:
    """Check what is read of data, and that it does not depend on where it is cut."""
    cut = crc32(data) % (len(data) + 1)
    hello, part = testing.asked_name(data), testing.asked_name(data[:cut])
    if hello is not None:
        name, size = hello
        assert size <= len(data)
        assert len(name) <= LONGEST
        assert set(name) <= set(NAME)
        assert part is None or part == hello or len(data) > 16384, cut
    header, begun = testing.proxy_header(data), testing.proxy_header(data[:cut])
    assert begun in (0, header), cut
    if isinstance(header, tuple):
        assert 0 < header[0] <= len(data)


if __name__ == "__main__":
    run.main(one)
