"""What the page's modules make of what they are told, asked in a real Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakes.browser import Site, chromium, go


@pytest.fixture(scope="module")
def page() -> Iterator[Any]:
    with chromium() as browser, Site() as site:
        made = browser.new_page()
        go(made, site.url)
        yield made


@pytest.mark.parametrize(
    ("about", "text", "told"),
    [
        (
            "a",
            "gets requests for nginx.services.haystack; 4 endpoints there",
            "a: gets requests for nginx.services.haystack; 4 endpoints there",
        ),
        ("web", "gets requests for web.services.haystack", "web: gets requests for web.services.haystack"),
        ("web-4", "drains web-4: a new kernel", "drains web-4: a new kernel"),
        ("", "was listed", "was listed"),
    ],
)
def test_what_happened_names_whom_it_is_about_once(page: Any, about: str, text: str, told: str) -> None:
    """Of a container called `a`, every sentence with that letter had seemed to name it."""
    entry = {"about": about, "text": text, "by": None}
    assert page.evaluate("async entry => (await import('./ui/timeline.js')).sentenceOf(entry)", entry) == told
