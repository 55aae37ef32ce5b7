"""Where spans end, whatever stands there: a worker that somebody has taken over may write anything."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haystack._fast.log.span_parts import parts
from haystack.observe.otlp_message import _part

bodies = st.lists(st.integers(0, 3) | st.integers(120, 140) | st.integers(16380, 16390), max_size=12)


@given(bodies, st.integers(0, 20_000))
def test_no_part_is_larger_than_may_be_unless_one_span_is(sizes: list[int], most: int) -> None:
    spans = [_part(0x12, bytes(size)) for size in sizes]
    begin, left = 0, list(spans)
    for end, number in parts(memoryview(b"".join(spans)), most):
        mine, left = left[:number], left[number:]
        assert end - begin == sum(map(len, mine))
        assert number == 1 or end - begin <= most
        assert not left or end - begin + len(left[0]) > most
        begin = end
    assert left == []


WHOLE = _part(0x12, bytes(200))


@pytest.mark.parametrize(
    "spans",
    [
        b"\x12",
        b"\x12\x80",
        b"\x12\x01",
        b"\x0a\x00",
        WHOLE[:-1],
        WHOLE + b"\x12",
        WHOLE + b"\x00",
        WHOLE + WHOLE[:100],
        b"\x12" + b"\xff" * 9 + b"\x01" + bytes(100),  # a length of 64 bits
        b"\x12" + b"\x80" * 8 + b"\x00",  # none, in more bytes than it needs
        b"\x12\xff\xff\xff\xff\x7f" + bytes(100),
    ],
)
def test_what_are_no_whole_spans_are_refused(spans: bytes) -> None:
    with pytest.raises(ValueError, match="spans"):
        parts(spans, 1 << 20)


@given(st.binary(max_size=60))
def test_any_bytes_are_whole_spans_or_refused(data: bytes) -> None:
    try:
        found = parts(data, 0)
    except ValueError:
        return
    assert ([end for end, _ in found] or [0])[-1] == len(data)
