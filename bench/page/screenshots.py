"""`python -m bench.page.screenshots`: draws the pictures of docs/web.md anew."""

from __future__ import annotations

from pathlib import Path

from bench.page import shop
from tests.fakes.browser import Site, chromium, containers

DOCS = Path(__file__).parents[2] / "docs"
PICTURES = (
    ("page", "", "light", 1280, 1000),
    ("page-dark", "", "dark", 1280, 1000),
    ("page-phone", "", "light", 390, 844),
    ("page-service", "#/service/web.nginx.services.haystack", "light", 1280, 900),
)


def main() -> None:
    """Draw them."""
    with Site() as site, chromium() as browser:
        shop.happened(site.state.journal)
        site.show(*shop.services(), containers=containers("backup"), problems=shop.problems())
        for name, view, scheme, width, height in PICTURES:
            context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": height}, device_scale_factor=1)
            page = context.new_page()
            page.goto(site.url + view)
            page.wait_for_selector("#live[data-state=live]")
            page.wait_for_timeout(300)
            page.screenshot(path=DOCS / f"{name}.png")
            context.close()


if __name__ == "__main__":
    main()
