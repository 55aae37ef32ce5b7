"""What Tab offers at the prompt."""

from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from haystack.console.prompt import Words
from haystack.console.shell import completions
from tests.fakes.state import picture, state


def offered(line):
    known = state(snapshot=picture(name="Web-1"))
    made = Words(lambda before: completions(known, before)).get_completions(Document(line), CompleteEvent())
    return [line[: len(line) + each.start_position] + each.text for each in made]


def test_a_name_is_completed_in_whatever_case_it_was_begun():
    for begun in ("drain We", "drain we", "DRAIN WE"):
        assert [each.split(" ")[1] for each in offered(begun)] == ["Web-1"], begun
    assert offered("drain X") == []
    assert offered("Vers") == ["version"]
