"""Whatever a master file holds, it is read, or refused with the line."""

from hypothesis import given
from hypothesis import strategies as st

from haystack.dns import records_file
from haystack.dns.master_file import MasterFileError
from haystack.loop.turns import at_once


def outcome(content: bytes) -> int:
    """The line of the fault; 0: none."""
    try:
        records = at_once(records_file.read(content, "haystack", 5))
    except MasterFileError as error:
        return error.line
    assert all(name == name.lower() and len(name) <= 255 and held for name, held in records.items())
    return 0


@given(st.binary())
def test_any_octets(content: bytes) -> None:
    assert 0 <= outcome(content) <= content.count(b"\n") + 1


@given(st.text('ab01 .\\\n\t"();$@INTXTAS*', max_size=60))
def test_what_looks_like_such_a_file(text: str) -> None:
    assert 0 <= outcome(text.encode()) <= text.count("\n") + 1


@given(st.lists(st.sampled_from(["a A 10.0.0.1", "a 7 A 10.0.0.2", "b CNAME a", "*.w TXT x", "c.example. AAAA fd00::1", "", "; x"])))
def test_good_lines_in_any_order(lines: list[str]) -> None:
    assert outcome("\n".join(lines).encode()) == 0
