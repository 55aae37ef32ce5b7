"""`python -m bench.page.screenshots`: draws the pictures of docs/web.md anew."""

from __future__ import annotations

from pathlib import Path

from bench.page import shop
from tests.fakes.browser import Site, chromium

DOCS = Path(__file__).parents[2] / "docs"
PICTURES = (
    ("page", "", "light", 1280, 1000),
    ("page-dark", "", "dark", 1280, 1000),
    ("page-phone", "", "light", 390, 844),
    ("page-service", "#/service/web.nginx.services.haystack", "light", 1280, 900),
)


def main() -> None:
    """Draw them."""
    with Site() as site, chromium(f"--host-resolver-rules=MAP haystack:80 127.0.0.1:{site.port}") as browser:
        shop.happened(site.state.journal)
        shop.figures(site.figures)
        site.show(*shop.services(), containers=shop.held(), problems=shop.problems())
        for name, view, scheme, width, height in PICTURES:
            context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": height}, device_scale_factor=1)
            page = context.new_page()
            page.goto(f"http://haystack/ui{view}")
            page.wait_for_selector("#live[data-state=live]")
            page.wait_for_timeout(1500)  # a second's figures
            page.screenshot(path=DOCS / f"{name}.png")
            context.close()


if __name__ == "__main__":
    main()
