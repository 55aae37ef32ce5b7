"""The page of a real Haystack with real requests: what its workers count is drawn in a real Chromium."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.fakes.browser import chromium, go
from tests.fakes.client import Client
from tests.fakes.origin import Loop, Origin, respond
from tests.fakes.worker import Haystack, Member, host

pytestmark = pytest.mark.untraced
SERVER_ERROR = b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n"
MOVED = """([name, old]) => {
    const card = [...document.querySelectorAll("article")].find(each => each.textContent.startsWith(name));
    return card.querySelector("svg .line").getAttribute("d") !== old;
}"""
PAUSE = 0.02  # seconds between two requests


@contextmanager
def requests(port: int, *images: str) -> Iterator[None]:
    """Requests to these services one after the other, until the end of the context."""
    over = threading.Event()

    def ask() -> None:
        with Client(port) as client:
            while not over.wait(PAUSE):
                for image in images:
                    client.get(host(image))

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_the_page_draws_what_workers_count(fakes: Loop) -> None:
    well, bad = Origin(fakes, respond()).start(), Origin(fakes, respond(SERVER_ERROR)).start()
    labels = {"haystack.eject": "off", "haystack.retry": "off"}
    with (
        Haystack([Member("web", well.port), Member("bad", bad.port, labels), Member("idle", well.port)]) as haystack,
        chromium() as browser,
    ):
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        with requests(haystack.port, "web", "bad"):
            go(page, f"http://127.0.0.1:{haystack.port}/ui")
            page.wait_for_selector("#live[data-state=live]")
            cards = {
                name: page.locator("article", has=page.get_by_role("link", name=host(name), exact=True)) for name in ("web", "bad", "idle")
            }
            for name in ("web", "bad"):
                cards[name].locator("svg .line").first.wait_for()
                cards[name].locator(".rows .load", has_text="/s \u00b7 ").wait_for()
            assert cards["web"].locator(".rows .container").text_content() == "webx0"
            assert cards["web"].locator(".rows .address").text_content() == f"127.0.0.1:{well.port}"
            cards["bad"].locator(".rows .wrong", has_text="/s errors").wait_for()
            assert cards["web"].locator(".rows .wrong").text_content() == ""
            drawn = cards["web"].locator("svg .line").first.get_attribute("d")
            page.wait_for_function(MOVED, arg=[host("web"), drawn])
        assert not cards["idle"].locator("svg").first.is_visible()
        assert cards["idle"].locator(".rows .load span").first.text_content() == ""
    well.stop()
    bad.stop()
