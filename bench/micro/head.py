"""`python -m bench.micro.head`: nanoseconds to parse a head, ours beside httptools (llhttp) on the same bytes.

Ours runs in a compiled loop (testing.parse_heads), as the data plane calls it: slots that point into the bytes, framing and Host already
judged. httptools is called from Python, a parser object a message, as its users do. `bare`: its callbacks are absent, so that nothing of
the head is kept: the least it can cost. `fields`: target and fields go to compiled callables (a list's append, a dict's setdefault): the
least that yields what ours yields. Neither figure holds a Python function's call. Rounds alternate; the best of each counts.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import httptools

from haystack._fast import testing

ROUNDS = 9
TIMES = 20_000

SMALL = b"GET / HTTP/1.1\r\nHost: nginx.services.haystack\r\n\r\n"
BROWSER = (
    b"GET /static/app.css?v=42 HTTP/1.1\r\n"
    b"Host: shop.services.haystack\r\n"
    b"User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0\r\n"
    b"Accept: text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8\r\n"
    b"Accept-Language: en-US,en;q=0.5\r\n"
    b"Accept-Encoding: gzip, deflate, br, zstd\r\n"
    b"Referer: http://shop.services.haystack/index.html\r\n"
    b"Connection: keep-alive\r\n"
    b"Cookie: session=0123456789abcdef0123456789abcdef; theme=dark\r\n"
    b"Upgrade-Insecure-Requests: 1\r\n"
    b"Sec-Fetch-Dest: document\r\n"
    b"Sec-Fetch-Mode: navigate\r\n"
    b"Priority: u=0, i\r\n"
    b"\r\n"
)
LARGE = (
    b"GET / HTTP/1.1\r\nHost: nginx.services.haystack\r\n"
    + b"".join(b"X-Header-%02d: %s\r\n" % (n, b"v" * 40) for n in range(20))
    + b"Cookie: "
    + b"c" * 1024
    + b"\r\n\r\n"
)
RESPONSE = (
    b"HTTP/1.1 200 OK\r\nServer: nginx/1.27.0\r\nDate: Mon, 23 Nov 2026 12:00:00 GMT\r\nContent-Type: text/html\r\nContent-Length: 615\r\n"
    b'Last-Modified: Tue, 28 May 2024 13:22:30 GMT\r\nConnection: keep-alive\r\nETag: "6655da96-267"\r\nAccept-Ranges: bytes\r\n\r\n'
)
HEADS = {
    "wrk's request": SMALL,
    "a browser's, 12 fields": BROWSER,
    "20 fields and a cookie of 1 KiB": LARGE,
    "a response, 8 fields": RESPONSE,
}


def ours(data: bytes, times: int) -> None:
    """Parse data so many times."""
    testing.parse_heads(data, times, data[:5] != b"HTTP/")


def llhttp(data: bytes, times: int, protocol: Any) -> None:
    """The same with httptools. A response is told to have no body, so that its head is the whole message."""
    parser = httptools.HttpResponseParser if data[:5] == b"HTTP/" else httptools.HttpRequestParser
    for _ in itertools.repeat(None, times):
        parser(protocol).feed_data(data)


def bare(data: bytes, times: int) -> None:
    """Httptools without a callback."""
    llhttp(data, times, SimpleNamespace())


def fields(data: bytes, times: int) -> None:
    """Httptools with the cheapest callbacks that there are."""
    llhttp(data, times, SimpleNamespace(on_url=[].append, on_status=[].append, on_header={}.setdefault))


READERS: dict[str, Callable[[bytes, int], None]] = {"ours": ours, "httptools, bare": bare, "httptools, fields": fields}


def measure(rounds: int = ROUNDS, times: int = TIMES) -> dict[str, dict[str, float]]:
    """Nanoseconds a head: {what: {reader: ns}}."""
    best = {name: dict.fromkeys(READERS, float("inf")) for name in HEADS}
    for _ in range(rounds):
        for (name, data), (reader, parse) in itertools.product(HEADS.items(), READERS.items()):
            start = time.perf_counter_ns()
            parse(data, times)
            best[name][reader] = min(best[name][reader], (time.perf_counter_ns() - start) / times)
    return best


def main() -> None:
    """Measure and print."""
    print(f"| ns a head | bytes | {' | '.join(READERS)} |\n|{' --- |' * (2 + len(READERS))}")
    for name, found in measure().items():
        print(f"| {name} | {len(HEADS[name])} | {' | '.join(f'{ns:.0f}' for ns in found.values())} |")


if __name__ == "__main__":
    main()
