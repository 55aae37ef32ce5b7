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
