"""The name in a ClientHello (RFC 8446, section 4.1.2; RFC 6066, section 3), however the hello comes, and nothing where anything is odd."""

from __future__ import annotations

import ssl
import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haystack._fast.net.testing import asked_name
from tests.fakes.tls import hello

NAME = b"www.example.com"
MOST = 16384


def vector(data: bytes, size: int) -> bytes:
    return len(data).to_bytes(size, "big") + data


def server_name(*names: tuple[int, bytes]) -> bytes:
    return vector(b"".join(bytes([kind]) + vector(name, 2) for kind, name in names), 2)


def extension(kind: int, data: bytes) -> bytes:
    return struct.pack("!H", kind) + vector(data, 2)


def body(extensions: bytes | None, session: bytes = bytes(32), suites: bytes = b"\x13\x01", methods: bytes = b"\x00") -> bytes:
    start = b"\x03\x03" + bytes(32) + vector(session, 1) + vector(suites, 2) + vector(methods, 1)
    return start + (vector(extensions, 2) if extensions is not None else b"")


def message(content: bytes, kind: int = 1) -> bytes:
    return bytes([kind]) + vector(content, 3)


def records(data: bytes, *cuts: int, version: bytes = b"\x03\x01") -> bytes:
    edges = [0, *cuts, len(data)]
    return b"".join(b"\x16" + version + vector(data[a:b], 2) for a, b in pairwise(edges) if b > a)


def named(*names: bytes, before: bytes = b"", behind: bytes = b"") -> bytes:
    return message(body(before + extension(0, server_name(*((0, name) for name in names))) + behind))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_openssls_hello(version):
    data = hello("www.example.com", maximum_version=version)
    assert asked_name(data) == (NAME, len(data))
    assert asked_name(data + b"early data") == (NAME, len(data))
    for cut in range(len(data)):
        assert asked_name(data[:cut]) is None, cut


@pytest.mark.parametrize("written", [b"WWW.Example.COM", b"www.example.com.", NAME])
def test_names_are_told_in_one_form(written):
    data = records(named(written))
    assert asked_name(data) == (NAME, len(data))


def test_it_may_come_in_records_of_any_size():
    data = named(NAME, before=extension(0xFE0D, bytes(200)), behind=extension(21, bytes(1000)))
    for size in (1, 2, 3, 5, 100):
        cut = records(data, *range(size, len(data), size))
        assert asked_name(cut) == (NAME, len(cut))
        assert asked_name(cut[:-1]) is None
    many = records(data[: len(data) // 2], 4) + records(data[len(data) // 2 :] + b"more")
    assert asked_name(many) == (NAME, len(many) - 4), "what stands behind it in its last record is no part of it"


@given(st.binary(max_size=600))
def test_any_bytes_are_read_without_harm(data):
    found = asked_name(data)
    assert found is None or found[0] == b""


@given(st.data())
def test_a_hello_with_any_byte_changed_is_read_without_harm(data):
    good = bytearray(records(named(NAME)))
    for _ in range(data.draw(st.integers(1, 3))):
        good[data.draw(st.integers(0, len(good) - 1))] = data.draw(st.integers(0, 255))
    cut = bytes(good[: data.draw(st.integers(0, len(good)))])
    found = asked_name(cut)
    assert found is None or found[1] <= len(cut)
    whole = asked_name(bytes(good))
    assert found is None or found == whole, "more of it changes nothing"


@given(st.lists(st.integers(1, 400), unique=True), st.text("abcdefghijklmnopqrstuvwxyz0123456789-.", min_size=1, max_size=255))
def test_any_name_in_any_pieces(cuts, text):
    name = text.encode()
    data = named(name)
    cut = records(data, *sorted(c for c in cuts if c < len(data)))
    wanted = name.removesuffix(b".")
    assert asked_name(cut) == (wanted, len(cut))


ODD = {
    "http": b"GET / HTTP/1.1\r\n\r\n",
    "alert": b"\x15\x03\x01\x00\x02\x02\x28",
    "ssl2": b"\x80\x2e\x01\x03\x01\x00\x15",
    "version": b"\x16\x02\x00\x00\x05" + bytes(5),
    "empty record": b"\x16\x03\x01\x00\x00",
    "long record": b"\x16\x03\x01\x40\x01" + bytes(10),
    "server hello": records(message(body(b""), 2)),
    "none": records(message(body(b""))),
    "no extensions": records(message(body(None))),
    "empty name": records(named(b"")),
    "dot": records(named(b".")),
    "nul": records(named(b"www\x00.example.com")),
    "blank": records(named(b"www example.com")),
    "8 bit": records(named("bücher.example".encode())),
    "address": records(named(b"[::1]")),
    "256 bytes": records(named(b"a" * 256)),
    "300 bytes": records(named(b"a" * 300)),
    "two names": records(named(NAME, b"other.example.com")),
    "other kind": records(message(body(extension(0, server_name((1, NAME)))))),
    "twice": records(message(body(extension(0, server_name((0, NAME))) * 2))),
    "list too long": records(message(body(extension(0, b"\x00\xff" + server_name((0, NAME))[2:])))),
    "list too short": records(message(body(extension(0, b"\x00\x05" + server_name((0, NAME))[2:])))),
    "behind the list": records(message(body(extension(0, server_name((0, NAME)) + b"\x00")))),
    "empty list": records(message(body(extension(0, b"\x00\x00")))),
    "half an extension": records(message(body(extension(0, server_name((0, NAME)))[:-1]))),
    "behind the extensions": records(message(body(extension(0, server_name((0, NAME)))) + b"\x00")),
    "session": records(message(body(extension(0, server_name((0, NAME))), session=bytes(33)))),
    "suites": records(message(body(extension(0, server_name((0, NAME))), suites=b"\x13"))),
    "no suites": records(message(body(extension(0, server_name((0, NAME))), suites=b""))),
    "no method": records(message(body(extension(0, server_name((0, NAME))), methods=b""))),
    "short": records(message(b"\x03\x03" + bytes(20))),
    "huge": records(message(bytes(MOST + 1))[:100]),
}


@pytest.mark.parametrize("odd", ODD)
def test_what_is_odd_asks_for_no_name(odd):
    found = asked_name(ODD[odd])
    assert found is not None
    assert found[0] == b""


def test_a_long_hello_is_read_and_a_longer_one_is_not():
    data = named(NAME, before=extension(21, bytes(16000)))
    assert asked_name(records(data)) == (NAME, len(data) + 5)
    assert asked_name(records(named(NAME, before=extension(21, bytes(16400))), 16000)[:MOST]) == (b"", 0)
    slow = records(data, *range(1, 5000))
    assert asked_name(slow[:MOST]) == (b"", 0), "more than is looked at"
