"""Every byte at every place of a head's parts, at every length that a wide scan may take in one step, and a bit more.

A parser that looks at 16 or 32 bytes at once errs where a part begins, ends or crosses a step; nothing random finds all of that.
"""

from __future__ import annotations

import string

import pytest

from haystack._fast import testing

ALL = range(256)
TOKEN = set(b"!#$%&'*+-.^_`|~" + string.ascii_letters.encode() + string.digits.encode())  # RFC 9110, section 5.6.2
TEXT = {9} | (set(range(32, 256)) - {127})  # section 5.5
TARGET = set(range(33, 127)) - {ord("#")}  # ASCII, and no fragment: RFC 9112, section 3.2
LENGTHS = [*range(1, 10), 15, 16, 17, 18, 31, 32, 33, 34, 63, 64, 65]
PARTS = {
    "a value": (b"GET / HTTP/1.1\r\nHost: a\r\nX: ", b"\r\nY: z\r\n\r\n", TEXT),
    "a value at the end": (b"GET / HTTP/1.1\r\nHost: a\r\nX:", b"\r\n\r\n", TEXT),
    "a name": (b"GET / HTTP/1.1\r\nHost: a\r\n", b": b\r\n\r\n", TOKEN),
    "a target": (b"GET ", b" HTTP/1.1\r\nHost: a\r\n\r\n", TARGET),
    "a reason": (b"HTTP/1.1 200 ", b"\r\n\r\n", TEXT),
    "a response's value": (b"HTTP/1.1 200 OK\r\nServer: a\r\nX: ", b"\r\nY: z\r\n\r\n", TEXT),
}


def parse(data):
    return (testing.response_head if data.startswith(b"HTTP/") else testing.request_head)(data)


def part(name, found):
    """What was read as the part."""
    _, _, second, _, fields, _, _ = found
    if "name" in name:
        return fields[1][0]
    return fields[1][1] if "value" in name else second


def without_size(found):
    """A line's end may be one byte or two in a response (RFC 9112, section 2.2)."""
    return found[1:] if isinstance(found, tuple) else found


def meant(name, text):
    return text.strip(b" \t") if "value" in name else text


def places(length):
    """Where a byte of a part may stand: everywhere in short ones, at the edges of steps in long ones."""
    return range(length) if length <= 34 else sorted({0, 1, 15, 16, 17, 31, 32, 33, 47, length - 17, length - 16, length - 2, length - 1})


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("name", PARTS)
def test_one_odd_byte(name, length):
    before, after, allowed = PARTS[name]
    for at in places(length):
        for byte in ALL:
            text = b"a" * at + bytes([byte]) + b"a" * (length - at - 1)
            found = parse(before + text + after)
            if byte in allowed:
                assert isinstance(found, tuple), (text, found)
                assert part(name, found) == meant(name, text)
                assert found[0] == len(before + text + after)
            elif name == "a name" and byte == ord(":") and at:
                assert found[4][1] == (text[:at], text[at + 1 :] + b": b"), text
            elif byte == ord("\n") and before.startswith(b"HTTP/"):
                assert without_size(found) == without_size(parse(before + text.replace(b"\n", b"\r\n") + after)), text
            else:
                assert found in {-400, -502}, (text, found)


@pytest.mark.parametrize("name", PARTS)
def test_white_space_around_a_part_of_any_length(name):
    before, after, allowed = PARTS[name]
    for length in range(70):
        for space in (b" ", b"\t", b" \t", b" " * 17, b"\t" * 33):
            for text in (space + b"a" * length, b"a" * length + space, b"a" * length + space + b"a" * length):
                found = parse(before + text + after)
                if set(space) <= allowed:
                    assert part(name, found) == meant(name, text)
                else:
                    assert found in {-400, -502}, (text, found)


@pytest.mark.parametrize("name", PARTS)
def test_every_byte_is_known_by_where_it_is_cut(name):
    before, after, _ = PARTS[name]
    for length in LENGTHS:
        data = before + b"a" * length + after
        assert all(parse(data[:size]) == 0 for size in range(len(data)))
        assert parse(data)[0] == len(data)


@pytest.mark.parametrize("length", [1, 15, 16, 17, 31, 32, 33])
def test_a_method_of_tokens_alone(length):
    for at in range(min(length, 32)):
        for byte in ALL:
            method = b"A" * at + bytes([byte]) + b"A" * (length - at - 1)
            found = parse(method + b" / HTTP/1.1\r\nHost: a\r\n\r\n")
            if byte in TOKEN and length <= 32:
                assert found[1:3] == (method, b"/")
            else:
                assert found == -400, method
