"""The engine's event stream, line by line, however it comes."""

import json

import pytest
from structlog.testing import capture_logs

from haystack.discovery.docker import event_stream
from haystack.discovery.docker.event_stream import Lines

VALUES = [{"a": 1}, {"b": "x\x85y"}, [None], 7]
STREAM = b"".join(json.dumps(value, ensure_ascii=False).encode() + b"\n" for value in VALUES)


@pytest.mark.parametrize("size", [1, 2, 7, 4096])
def test_values_come_out_whatever_the_pieces_they_come_in(size):
    reader = Lines()
    assert [v for at in range(0, len(STREAM), size) for v in reader.feed(STREAM[at : at + size])] == VALUES
    assert (reader.bad, list(reader.end())) == (0, [])


@pytest.mark.parametrize("stream", [b'{"a":1}{"a":2}\n', b'\x1e{"a":1}\n\x1e{"a":2}\n', b'{"a":1}\r\n\n {"a":2} \n', '{"a":1}\n{"a":2}\n'])
def test_values_may_stand_side_by_side_or_be_marked_off(stream):
    assert list(Lines().feed(stream)) == [{"a": 1}, {"a": 2}]


def test_what_follows_a_bad_line_is_read_and_only_the_first_is_worth_a_warning():
    with capture_logs() as logs:
        assert event_stream.whole(b'{"a":1}\n{"a":\nodd\n{"a":2}') == [{"a": 1}, {"a": 2}]
    assert [(line["log_level"], line["line"]) for line in logs] == [("warning", '{"a":'), ("debug", "odd")]


def test_a_line_without_end_takes_no_more_memory_than_a_line_may(monkeypatch):
    monkeypatch.setattr(event_stream, "LONGEST", 1000)
    reader = Lines()
    for _ in range(10_000):
        assert list(reader.feed(b"x" * 100)) == []
        assert len(reader._begun) <= 1000
    assert list(reader.feed(b'\n{"a":1}\n')) == [{"a": 1}]
    assert reader.bad == 1
