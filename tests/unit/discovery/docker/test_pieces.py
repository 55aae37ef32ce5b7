"""A long list of an engine: read element by element, however it is cut, and to the same as a whole."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haystack.discovery.docker import pieces
from tests.fakes.effort import calls

inner = st.none() | st.integers() | st.text(max_size=20) | st.lists(st.text(max_size=5), max_size=2)
objects = st.dictionaries(st.text(max_size=5), inner, max_size=3)


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@given(st.lists(objects, max_size=5), st.integers(1, 40), st.booleans(), st.sampled_from([None, 1]))
def test_a_list_is_the_same_however_it_is_cut(found: list[object], size: int, ascii_only: bool, indent: int | None) -> None:
    data = json.dumps(found, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "replace")
    assert list(pieces.elements(cut(data, size))) == json.loads(data)


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize("text", ["null", '{"message": "no"}', " 12 ", '"text"'])
def test_what_is_no_list_has_no_elements(text: str, size: int) -> None:
    assert not list(pieces.elements(cut(text.encode(), size)))


@pytest.mark.parametrize("size", [1, 3, 1000])
@pytest.mark.parametrize("text", ["", "<html>", '[{"a": 1}', '[{"a": 1},', '[{"a": 1} {"b": 2}]', "[,]", "[{", '[{"a": }]'])
def test_what_is_no_json_is_an_error(text: str, size: int) -> None:
    with pytest.raises(ValueError, match=r"."):
        list(pieces.elements(cut(text.encode(), size)))


def test_elements_come_before_the_list_has_ended() -> None:
    def chunks() -> Iterator[bytes]:
        yield b'[{"a": 1}, {"b"'
        yield b": 2}, "
        raise TimeoutError

    come = pieces.elements(chunks())
    assert [next(come), next(come)] == [{"a": 1}, {"b": 2}]


def test_a_long_element_in_many_chunks_is_not_read_anew_with_each() -> None:
    data = json.dumps([{"a": "x" * 200_000}]).encode()

    def read() -> None:
        assert len(list(pieces.elements(cut(data, 100)))) == 1

    assert calls(read) < 2_000 * 12


@pytest.mark.parametrize("text", ['[{"a":"', '{"a":"', "<html>"])
def test_what_never_becomes_an_element_is_read_for_no_longer_than_it_may_be(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pieces, "LONGEST", 1000)
    came: list[int] = []

    def chunks() -> Iterator[bytes]:
        yield text.encode()
        for number in range(1000):
            came.append(number)
            yield b"a" * 100

    with pytest.raises(ValueError, match="more than 1000 characters"):
        list(pieces.elements(chunks()))
    assert len(came) <= 11
