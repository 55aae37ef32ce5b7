"""Fuzz target: any bytes as a chunked body, before our decoder, the grammar, llhttp and h11."""

from __future__ import annotations

from zlib import crc32

from haystack._fast import testing
from tests.differential import compare
from tests.differential.bodies import Body, ours
from tests.fuzz import run


def one(data: bytes) -> None:
    """Check what is read of data, whole, cut in two and byte by byte."""
    compare.bodies(data)
    cut = crc32(data) % (len(data) + 1)
    whole = ours([data])
    assert ours([data[:cut], data[cut:]]) == whole, cut
    assert ours([bytes([byte]) for byte in data]) == whole
    if isinstance(whole, Body):
        assert len(whole.data) + len(whole.left) <= len(data)
        assert whole.done or not whole.left
        again(whole.data)


def again(data: bytes) -> None:
    """Chunked anew, a body is decoded as the same one."""
    chunk = b"%x\r\n%s\r\n" % (len(data), data) if data else b""
    assert testing.decode_chunks([chunk + b"0\r\n\r\n"]) == (data, True, b"")


if __name__ == "__main__":
    run.main(one)
