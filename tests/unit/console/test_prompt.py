"""What Tab offers at the prompt."""

from prompt_toolkit.buffer import Buffer
from prompt_toolkit.completion import CompleteEvent
from prompt_toolkit.document import Document

from haystack.console.history import History
from haystack.console.prompt import LONGEST, Words, bound
from haystack.console.shell import completions
from haystack.console.terminal import Terminal
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


def test_a_line_has_an_end_however_much_is_pasted():
    """The layout of two megabytes took ten seconds, in which nobody else was served."""
    line = Buffer()
    bound(line)
    line.insert_text("x" * 1000)
    line.insert_text("y" * 2_000_000)
    line.insert_text("z")
    assert line.text == "x" * 1000 + "y" * (LONGEST - 1000)
    line.delete_before_cursor(1)
    line.insert_text("é!")
    assert line.text[-2:] == "yé"


async def test_what_is_pasted_into_a_session_is_cut_and_executed(tmp_path):
    seen = []

    async def execute(text):
        seen.append(text)
        return False

    terminal = Terminal(lambda _text: None, lambda: (80, 24), lambda: None, lambda: None)
    terminal.feed("\x1b[200~" + "x" * 200_000 + "\x1b[201~\r")
    await terminal.converse("xterm", lambda _words: [], execute, History(tmp_path, "SHA256:x"))
    assert seen == ["x" * LONGEST]
