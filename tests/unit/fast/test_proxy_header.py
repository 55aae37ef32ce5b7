"""The PROXY protocol's header: what is read is what was written, and anything else is none (tests/conformance has the bad ones)."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haystack._fast.net.testing import proxy_header, written_header

SIGNATURE = b"\r\n\r\n\x00\r\nQUIT\n"


@contextmanager
def connected(to: str) -> Iterator[socket.socket]:
    """A socket that a client at `to` has connected to."""
    family = socket.AF_INET6 if ":" in to else socket.AF_INET
    with socket.create_server((to, 0), family=family) as server, socket.create_connection(server.getsockname()[:2]):
        sock, _ = server.accept()
        with sock:
            yield sock


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    ("to", "client", "read", "place"),
    [
        ("127.0.0.1", "203.0.113.9", "203.0.113.9", "127.0.0.1"),
        ("::1", "2001:db8::9", "2001:db8::9", "::1"),
        ("127.0.0.1", "2001:db8::9", "2001:db8::9", "::ffff:127.0.0.1"),
        ("::1", "203.0.113.9", "::ffff:203.0.113.9", "::1"),
        ("127.0.0.1", "::ffff:203.0.113.9", "203.0.113.9", "127.0.0.1"),
    ],
)
def test_what_is_written_is_read(version, to, client, read, place):
    with connected(to) as sock:
        data = written_header(version, client.encode(), 4711, sock.fileno())
        assert proxy_header(data) == (len(data), read, 4711, place, sock.getsockname()[1])
        assert proxy_header(data + b"GET /") == (len(data), read, 4711, place, sock.getsockname()[1])
        for cut in range(len(data)):
            assert proxy_header(data[:cut]) == 0


@pytest.mark.parametrize("client", ["", "unknown", "1.2.3", "1.2.3.4\x00", "a" * 80])
def test_an_address_that_is_none_tells_of_nobody(client):
    with connected("127.0.0.1") as sock:
        assert written_header(1, client.encode(), 1, sock.fileno()) == b"PROXY UNKNOWN\r\n"
        assert written_header(2, client.encode(), 1, sock.fileno()) == SIGNATURE + b"\x20\x00\x00\x00"
    assert proxy_header(b"PROXY UNKNOWN\r\n") == (15, "", 0, "", 0)
    assert proxy_header(SIGNATURE + b"\x20\x00\x00\x00") == (16, "", 0, "", 0)


def test_the_longest_line_is_read_and_a_longer_one_is_not():
    line = b"PROXY UNKNOWN " + b"f" * 91 + b"\r\n"
    assert len(line) == 107
    assert proxy_header(line) == (107, "", 0, "", 0)
    assert proxy_header(b"PROXY UNKNOWN " + b"f" * 92 + b"\r\n") == -1


def test_further_values_are_skipped_within_bounds():
    def of(size: int) -> bytes:
        return SIGNATURE + b"\x21\x11" + size.to_bytes(2, "big") + bytes([1, 2, 3, 4, 5, 6, 7, 8, 0, 9, 0, 10]) + bytes(size - 12)

    assert proxy_header(of(4080)) == (4096, "1.2.3.4", 9, "5.6.7.8", 10)
    assert proxy_header(of(4081)[:16]) == -1
    assert proxy_header(of(4080)[:-1]) == 0


@given(st.binary(max_size=300))
def test_any_bytes_are_read_without_harm(data):
    found = proxy_header(data)
    assert found in (0, -1) or (isinstance(found, tuple) and found[0] <= len(data))


@given(st.sampled_from([b"PROXY TCP4 1.2.3.4 5.6.7.8 9 10\r\n", SIGNATURE + b"\x21\x11\x00\x10" + bytes(range(16))]), st.data())
def test_a_header_with_any_byte_changed_is_read_without_harm(good, data):
    changed = bytearray(good)
    changed[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    cut = data.draw(st.integers(0, len(good)))
    whole, part = proxy_header(bytes(changed)), proxy_header(bytes(changed[:cut]))
    assert part in (0, whole), "more of it changes nothing"
