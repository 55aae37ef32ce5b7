"""A long text a screen at a time."""

import asyncio
from types import SimpleNamespace

from haystack.console import paged


class Screen:
    """A terminal of this size, on which this key is pressed again and again."""

    def __init__(self, width, height, key):
        self.size, self.drawn, self.lines, self._key = (width, height), [], [], key

    async def draw(self, text):
        self.drawn.append(text)

    async def line(self, text):
        self.lines.append(text)

    async def key(self, _seconds):
        return self._key


def shown(screen, text):
    asyncio.run(paged.show(screen, [text], asyncio.Event()))
    return SimpleNamespace(lines=screen.lines, prompts=[each for each in screen.drawn if each != paged.ERASE])


def test_the_prompt_is_one_line_however_narrow_the_terminal_is():
    found = shown(Screen(40, 5, "space"), "\n".join("abcdefghij"))
    assert found.lines == [*"abcdefghij"]
    assert found.prompts[0].startswith("-- 4 of 10 lines: Space shows more")
    assert max(map(len, found.prompts)) < 40


def test_a_wide_terminal_shows_all_of_it():
    assert shown(Screen(80, 5, "q"), "\n".join("abcdefghij")).prompts == [paged.PROMPT.format(shown=4, all=10)]


def test_a_page_is_as_many_rows_as_the_screen_has_however_long_lines_are():
    found = shown(Screen(80, 7, "space"), "\n".join(letter * 200 for letter in "abcde"))  # three rows each, of six
    assert [prompt[:12] for prompt in found.prompts] == ["-- 2 of 5 li", "-- 4 of 5 li"]
    assert len(found.lines) == 5


def test_enter_shows_one_line_and_one_that_is_longer_than_the_screen_is_shown():
    found = shown(Screen(80, 4, "enter"), "\n".join((*"abc", "d" * 500, "e", "f")))
    assert [prompt[3:4] for prompt in found.prompts] == ["3", "4", "5"]
    assert len(found.lines) == 6
    assert len(shown(Screen(80, 4, "space"), "x" * 5000).lines) == 1


def test_an_odd_key_shows_nothing():
    class Odd(Screen):
        async def key(self, _seconds):
            return "x" if len(self.drawn) < 6 else "q"

    found = shown(Odd(80, 3, ""), "\n".join("abcdef"))
    assert (found.lines, len(found.prompts)) == (["a", "b"], 4)


def test_what_fits_needs_no_page():
    assert paged.fits(["a\nb\n", "c"], 80, 4)
    assert not paged.fits(["a\nb\n", "c"], 80, 3)  # the prompt needs a row, too
    assert paged.fits(["a" * 160 + "\nb"], 80, 4)
    assert not paged.fits(["a" * 161 + "\nb"], 80, 4)
    assert paged.rows("\u6f22" * 40, 80) == 2  # 39 of them in a row of 79, so as not to divide one
    assert paged.rows("", 80) == 1
