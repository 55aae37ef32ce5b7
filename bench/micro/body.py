"""`python -m bench.micro.body`: how fast the chunked coding is decoded, by size of chunk, ours beside httptools on the same bytes.

MB/s of wire bytes (10^6). Ours runs in a compiled loop (testing.decode_bodies) that reads the framing and steps over the data, as in the
data plane; httptools hands every chunk to a compiled callable (a list's append) as a bytes object. One core, the best of the rounds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from types import SimpleNamespace

import httptools

from haystack._fast import testing

ROUNDS = 7
WIRE = 1 << 20  # bytes a body, about
HEAD = b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
SIZES = (16, 256, 4096, 65536)


def chunked(size: int) -> bytes:
    """About WIRE bytes in chunks of this size."""
    chunk = b"%x\r\n%s\r\n" % (size, b"x" * size)
    return chunk * (WIRE // len(chunk)) + b"0\r\n\r\n"


def ours(data: bytes) -> None:
    """Decode data once."""
    testing.decode_bodies(data, 1)


def llhttp(data: bytes) -> None:
    """The same with httptools."""
    parser = httptools.HttpRequestParser(SimpleNamespace(on_body=[].append))
    parser.feed_data(HEAD)
    parser.feed_data(data)


def speed(decode: Callable[[bytes], None], data: bytes) -> float:
    """Millions of bytes a second: the best of the rounds."""
    best = float("inf")
    for _ in range(ROUNDS):
        start = time.perf_counter()
        for _ in range(8):
            decode(data)
        best = min(best, (time.perf_counter() - start) / 8)
    return len(data) / best / 1e6


def main() -> None:
    """Measure and print."""
    print("| chunks of | ours, MB/s | httptools, MB/s |\n| --- | --- | --- |")
    for size in SIZES:
        data = chunked(size)
        print(f"| {size} | {speed(ours, data):.0f} | {speed(llhttp, data):.0f} |")


if __name__ == "__main__":
    main()
