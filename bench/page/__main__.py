"""`python -m bench.page [--size N]`: what the page costs with N endpoints, in the control process and in Chromium.

The web side has a thread of its own here, whose CPU time is read; the browser is a real one on the same machine. Ten endpoints a service,
and 2,000 in one.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

from haystack.model.services import Service
from tests.fakes.browser import Site, chromium, endpoint, service

LARGE = 2000
OBSERVE = "window.tasks = []; new PerformanceObserver(l => tasks.push(...l.getEntries().map(e => e.duration))).observe({type: 'longtask'});"
SEEN = """label => new Promise(done => {
    const found = () => [...document.querySelectorAll(".why")].some(each => each.textContent.startsWith(label));
    const watch = new MutationObserver(() => { if (found()) { watch.disconnect(); done(Date.now()); } });
    watch.observe(document.body, { subtree: true, childList: true, characterData: true });
    if (found()) done(Date.now());
})"""


def services(size: int) -> list[Service]:
    """So many endpoints."""
    small = [service(f"s{n}", *(endpoint(n * 10 + each) for each in range(10))) for n in range(max(0, size - LARGE) // 10)]
    return [*small, service("large", *(endpoint(size + n) for n in range(LARGE)))]


def cpu(site: Site) -> float:
    """Seconds that the web side's thread has computed."""
    found: list[float] = []
    site.call(lambda: found.append(time.thread_time()))
    return found[0]


def spent(site: Site, seconds: float, during: Callable[[], object] = lambda: None) -> float:
    """Milliseconds of CPU a second."""
    before = cpu(site)
    during()
    time.sleep(seconds)
    return (cpu(site) - before) / seconds * 1000


def changes(site: Site, page: Any) -> list[float]:
    """Milliseconds from a snapshot to what the page shows of it."""
    found = []
    large = site.state.registry.snapshot.services["large.services.haystack"].endpoints
    for number in range(20):
        page.evaluate(f"label => {{ window.seen = ({SEEN})(label) }}", f"change {number:03} ")
        began = time.time()
        site.show(service("large", endpoint(int(large[0].id[:12], 16), reason=f"change {number:03} "), *large[1:]))
        found.append(page.evaluate("() => window.seen") - began * 1000)
        time.sleep(0.15)
    return found


def main(size: int) -> None:
    """Print a table in Markdown."""
    with Site() as site, chromium() as browser:
        site.show(*services(size))
        page = browser.new_page(viewport={"width": 1280, "height": 900})
        page.add_init_script(OBSERVE)
        before, began = cpu(site), time.perf_counter()
        page.goto(site.url)
        page.wait_for_selector("#live[data-state=live]")
        live, cost = time.perf_counter() - began, cpu(site) - before
        paint = page.evaluate("() => performance.getEntriesByName('first-contentful-paint')[0].startTime")
        print(f"| {size:,} endpoints | |\n| --- | --- |\n| first paint | {paint:.0f} ms |\n| everything is there | {live * 1000:.0f} ms |")
        print(f"| control process, for the first page | {cost * 1000:.0f} ms of CPU |")
        print(f"| the same, with nothing changing | {spent(site, 5):.1f} ms of CPU a second |")
        page.goto(f"{site.url}#/service/large.services.haystack")
        page.wait_for_selector(".rows")
        found = changes(site, page)
        print(f"| a snapshot → the page | {statistics.median(found):.0f} ms, at most {max(found):.0f} |")
        tasks = page.evaluate("() => window.tasks")
        print(f"| long tasks in the page | {len(tasks)}, at most {max(tasks, default=0):.0f} ms |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=10_000)
    main(parser.parse_args().size)
