"""`python -m bench.page.shell_picture`: draws docs/shell.png anew, from the shell of a running demo with some traffic, in a terminal."""

from __future__ import annotations

import html
import http.client
import re
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.page.screenshots import DOCS
from tests.fakes.browser import chromium
from tests.fakes.demo import Demo
from tests.fakes.tmux import Tmux

COLUMNS, ROWS, FEW_ROWS = 100, 27, 9
ASKED = ("nginx.services.haystack", "web.nginx.services.haystack")
EVERY = 0.02  # seconds between two requests
WORDS = (
    ("services", r"nginx\.services.*haystack>\s*$"),
    ("explain nginx.services.haystack", r"picked.*haystack>\s*$"),
    ("dig nginx.services.haystack", r"NOERROR.*haystack>\s*$"),
)
# the eight colours of terminals, dark and bright
COLOURS = ("#0c0c0c", "#e5534b", "#57ab5a", "#c69026", "#539bf5", "#b083f0", "#39c5cf", "#d4d4d4")
BRIGHT = ("#7d7d7d", "#ff938a", "#8ddb8c", "#eac55f", "#96d0ff", "#dcbdfb", "#56d4dd", "#ffffff")
PAGE = """<!doctype html><meta charset=utf-8><style>
body {{ margin: 0; background: #0c0c0c; width: max-content }}
pre {{ margin: 0; padding: 12px 14px; font: 14px/1.25 'DejaVu Sans Mono', monospace; color: #d4d4d4; width: max-content }}
pre + pre {{ border-top: 1px solid #3c3c3c }}
</style>{}"""


class Style:
    """How a terminal writes now: what sequences have asked for since the last reset (ECMA-48, 8.3.117)."""

    def __init__(self) -> None:
        self.colour = ""
        self.marks: set[int] = set()

    def take(self, codes: list[int]) -> None:
        """Heed one sequence."""
        while codes:
            code = codes.pop(0)
            if code == 0:
                self.__init__()  # type: ignore[misc]
            elif code in (1, 2, 3, 4, 7):
                self.marks.add(code)
            elif 30 <= code <= 37 or 90 <= code <= 97:
                self.colour = (COLOURS if code < 40 else BRIGHT)[code % 10]
            elif code == 38 and codes[:1] == [5]:
                self.colour = of_table(codes[1])
                del codes[:2]
            elif code == 38:
                self.colour = f"rgb({codes[1]},{codes[2]},{codes[3]})"
                del codes[:4]
            elif code == 39:
                self.colour = ""

    def written(self, text: str) -> str:
        """A run of text as HTML."""
        looks = [f"color:{self.colour}" if self.colour else ""]
        looks += ["font-weight:bold"] if 1 in self.marks else []
        looks += ["opacity:.65"] if 2 in self.marks else []
        looks += ["text-decoration:underline"] if 4 in self.marks else []
        looks += ["background:#d4d4d4;color:#0c0c0c"] if 7 in self.marks else []
        style = ";".join(filter(None, looks))
        return f'<span style="{style}">{html.escape(text)}</span>' if style else html.escape(text)


def of_table(number: int) -> str:
    """A colour of the 256: 16 named ones, a cube of 216, greys."""
    if number < 16:
        return (COLOURS if number < 8 else BRIGHT)[number % 8]
    if number >= 232:
        return f"rgb({(level := 8 + 10 * (number - 232))},{level},{level})"
    levels = (0, 95, 135, 175, 215, 255)
    return "rgb({},{},{})".format(*(levels[(number - 16) // size % 6] for size in (36, 6, 1)))


def drawn(screen: str) -> str:
    """A screen as HTML."""
    style = Style()
    found = []
    for part in re.split(r"(\x1b\[[0-9;]*m)", screen.rstrip()):
        if part.startswith("\x1b["):
            style.take([int(code or 0) for code in part[2:-1].split(";")])
        else:
            found.append(style.written(part))
    return f"<pre>{''.join(found)}</pre>"


@contextmanager
def traffic(port: int) -> Iterator[None]:
    """Requests for both services of the demo, for so long."""
    over = threading.Event()

    def ask() -> None:
        while not over.wait(EVERY):
            for name in ASKED:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
                with suppress(OSError, http.client.HTTPException):
                    connection.request("GET", "/", headers={"Host": name})
                    connection.getresponse().read()
                connection.close()

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def screens() -> list[str]:
    """What a person sees at log-in and after some commands, and `top`."""
    with tempfile.TemporaryDirectory() as folder, Demo(Path(folder)) as demo, traffic(demo.ready["http"]):
        with Tmux(demo.ssh, COLUMNS, ROWS) as terminal:
            terminal.sees(r"haystack>\s*$")
            for words, until in WORDS:
                terminal.type(words)
                terminal.sees(until)
            commands = terminal.screen(colours=True)
        with Tmux(demo.ssh, COLUMNS, FEW_ROWS) as terminal:
            terminal.sees(r"haystack>\s*$")
            terminal.type("top")
            terminal.sees(r"web\.nginx")
            terminal.press("Enter")
            terminal.sees(r"CONTAINER.*:\d+")
            threading.Event().wait(3.0)  # for figures of whole seconds
            return [commands, terminal.screen(colours=True)]


def main() -> None:
    """Draw it."""
    pictures = "".join(map(drawn, screens()))
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 900, "height": 600})
        page.set_content(PAGE.format(pictures))
        page.locator("body").screenshot(path=DOCS / "shell.png")


if __name__ == "__main__":
    main()
