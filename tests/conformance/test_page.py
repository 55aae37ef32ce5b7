"""The page in a real Chromium: what it shows, that it stays itself while things change, and that anybody can use it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from haystack.model.records import Problem
from haystack.model.services import Carried, Cause
from haystack.model.snapshot import Snapshot
from haystack.tls.certificate import Certificate
from haystack.tls.store import Store, key_of_name
from tests.fakes.browser import Now, Rate, Site, Tab, chromium, containers, endpoint, service
from tests.fakes.pki import self_signed

pytestmark = pytest.mark.untraced
WIDTHS = (320, 390, 768, 1280)
EVIL = "<img src=x onerror=document.title='owned'>"


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as made:
        yield made


LONG = "a-container-whose-name-goes-on-and-on-and-on-for-as-long-as-docker-lets-it-be-1"
REASON = "ejected: 12 of 20 requests failed with an error that takes a whole long sentence to be told"


def varied() -> list[Any]:
    """Services in all states, with names that are long or would like to be markup."""
    now = time.time()
    drained = endpoint(4, ready=False, cause=Cause.DRAINED, reason="drained by ann: a new kernel", since=now)
    draining = endpoint(3, ready=False, cause=Cause.STOPPING, reason="draining: kill SIGTERM", since=now)
    waiting = endpoint(31, ready=False, cause=Cause.WAITING, awaited=True, reason="waits for its port", since=now)
    claims = Carried(host="shop.example.com", path="/x"), Carried(host="*.wild.example.com")
    odd = Problem(subject="label", message=EVIL)
    return [
        service("web", *(endpoint(n) for n in range(3)), draining, drained),
        service("panic", *(endpoint(n, cause=Cause.EJECTED, reason=REASON, until=now + 30) for n in range(10, 13))),
        service("down", endpoint(20, ready=False, cause=Cause.GONE, reason="died", container_name=LONG)),
        service("slow", endpoint(30, share=0.25), waiting),
        service("db", endpoint(40, listener=None, port=54321, port_name="postgresql", address="172.117.100.231")),
        service("evil", endpoint(50, container_name=EVIL, reason=EVIL), claims=claims, problems=(odd,)),
    ]


@pytest.fixture(scope="module")
def site() -> Iterator[Site]:
    with Site() as made:
        traffic(made, panic=10)
        journal = made.state.journal
        journal.add("container.died", "web-20", f"web-20 ended {EVIL}", ["down.services.haystack"])
        journal.add("operator.drain", "web-4", "drains web-4: a new kernel", ["web.services.haystack"], "ann")
        made.show(
            *varied(),
            containers=containers("tool", EVIL),
            problems=(
                ("evil.services.haystack", Problem(subject="label", message=EVIL)),
                ("unix:///x", Problem(subject="odd", message="thing")),
            ),
        )
        yield made


def traffic(made: Site, **services: int) -> None:
    """Figures of services and of one endpoint each: with something of everything."""
    for short, number in services.items():
        name, busy = f"{short}.services.haystack", endpoint(number).id
        made.figures.histories[name] = [float(n % 60) for n in range(300)], [float(n % 3) for n in range(300)], [0.02] * 300
        made.figures.of_services[name] = made.figures.of_endpoints[busy] = Rate(59.0, 2.0, 0.5)
        made.figures.loads[busy] = Now(7)


def card(page: Any, name: str) -> Any:
    return page.locator("article", has=page.get_by_role("link", name=f"{name}.services.haystack", exact=True))


def test_every_state_is_told_by_its_word_and_problems_come_first(browser: Any, site: Site) -> None:
    with Tab(browser, site.url) as page:
        first = page.locator("main section").first
        assert first.locator("h2").text_content().endswith("problems")
        assert "its only endpoint is not in" in first.text_content()
        names = page.locator("article h3").all_text_contents()
        assert names[:2] == ["down.services.haystack", "panic.services.haystack"]
        assert card(page, "panic").locator(".rows .pill").all_text_contents() == ["kept in"] * 3
        assert card(page, "web").locator(".rows .pill").all_text_contents() == ["drained", "draining", "in", "in", "in"]
        assert card(page, "slow").locator(".rows .pill").all_text_contents() == ["awaited", "in"]
        assert "waits for its port (for " in card(page, "slow").locator(".rows").text_content()
        assert card(page, "slow").locator(".weight").last.text_content() == "100 \u00d7 0.25"


def test_many_problems_leave_room_for_the_services_until_all_are_asked_for(browser: Any) -> None:
    with Site() as crowded, Tab(browser, crowded.url) as page:
        crowded.show(service("web", endpoint(1)), problems=tuple((f"x{n}", Problem(subject="label", message="odd")) for n in range(12)))
        page.wait_for_selector("#problems:text('12 problems')")
        items = page.locator(".problems li")
        assert items.count() == 8
        page.get_by_role("button", name="Show all 12 problems").click()
        assert items.count() == 12
        assert not page.get_by_role("button", name="Show all 12 problems").is_visible()


def test_what_is_kept_in_by_panic_is_amber_and_not_green(browser: Any, site: Site) -> None:
    colour = "element => getComputedStyle(element, '::before').backgroundColor"
    with Tab(browser, site.url) as page:
        kept = card(page, "panic").locator(".rows .pill").first.evaluate(colour)
        fit = card(page, "web").locator(".rows .pill").last.evaluate(colour)
        counts = page.locator("#counts")
        assert "6 services · 6 of 13 endpoints in, 3 by panic · " in counts.text_content()
        assert "0 of 3 endpoints in, 3 by panic" in card(page, "panic").locator(".counts").text_content()
        assert counts.evaluate("element => getComputedStyle(element).color") == card(page, "panic").locator(".grade").evaluate(
            "element => getComputedStyle(element).color"
        )
    red, green, _ = (int(part) for part in kept[4:-1].split(","))
    assert red > green > 100
    assert kept != fit


def test_text_of_others_is_text(browser: Any, site: Site) -> None:
    with Tab(browser, site.url) as page:
        assert EVIL in card(page, "evil").text_content()
        page.goto(f"{site.url}#/service/{EVIL}")
        page.wait_for_selector(f"text=There is no service {EVIL}")
        page.go_back()
        assert page.locator("main img").count() == 0
        assert "owned" not in page.title()


def test_hosts_are_links_but_for_wildcards(browser: Any, site: Site) -> None:
    with Tab(browser, site.url) as page:
        links = card(page, "evil").locator(".hosts a").evaluate_all("all => all.map(a => a.href)")
        assert links == [f"http://evil.services.haystack:{site.port}/", f"http://shop.example.com:{site.port}/x"]
        assert "*.wild.example.com" in card(page, "evil").locator(".hosts").text_content()


def test_within_tls_hosts_that_have_a_certificate_are_links_within_tls(browser: Any, tmp_path: Path) -> None:
    pem = tmp_path / "page.pem"
    pem.write_bytes(b"".join(self_signed("127.0.0.1", names=("localhost",))))
    claims = Carried(host="shop.example.com", path="/x"), Carried(host="bare.example.com")
    with Site(pem=pem) as site:
        site.state.proxy.ports.update(http=8000, https=8443)
        site.call(lambda: site.state.certificates.put("folder", "shop", certificate("shop.example.com")))
        site.show(service("web", endpoint(1), claims=claims))
        with Tab(browser, site.url, ignore_https_errors=True) as page:
            page.wait_for_selector(f".hosts a[href='https://shop.example.com:{site.port}/x']")
            links = card(page, "web").locator(".hosts a").evaluate_all("all => all.map(a => a.href)")
            assert links[0::2] == ["http://web.services.haystack:8000/", "http://bare.example.com:8000/"]


NAMES_SEEN = "[...document.querySelectorAll('h3')].some(each => each.textContent.startsWith('fresh'))"


def test_a_change_is_seen_within_a_blink_and_a_selection_and_the_focus_stay(browser: Any, site: Site) -> None:
    with Tab(browser, site.url) as page:
        page.evaluate("""() => {
            const cell = [...document.querySelectorAll(".rows .address")].find(each => each.textContent.startsWith("172.18.0.1:"));
            getSelection().selectAllChildren(cell);
            cell.closest("article").querySelector("a").focus();
        }""")
        site.show(service("fresh", endpoint(60)))
        page.wait_for_function(f"() => {NAMES_SEEN}", timeout=1000)
        site.show(gone=("fresh.services.haystack",))
        page.wait_for_function(f"() => !{NAMES_SEEN}", timeout=1000)
        assert page.evaluate("getSelection().toString()").startswith("172.18.0.1:")
        assert page.evaluate("document.activeElement.textContent") == "web.services.haystack"


def test_a_service_has_a_view_of_its_own_with_a_link_and_a_way_back(browser: Any, site: Site) -> None:
    with Tab(browser, site.url) as page:
        page.get_by_role("link", name="web.services.haystack", exact=True).click()
        assert page.url.endswith("#/service/web.services.haystack")
        assert page.locator("h1").text_content() == "web.services.haystack"
        assert page.title() == "web.services.haystack · Haystack"
        assert page.locator(".rows > div").count() == 5
        assert page.locator(".timeline li").all_text_contents()[0].endswith("operator.draindrains web-4: a new kernel (ann)")
        page.go_back()
        page.wait_for_selector("h3")
        page.goto(f"{site.url}#/service/%E0%A4%A")
        page.wait_for_selector("h3")


def test_what_happened_is_told_the_newest_first(browser: Any, site: Site) -> None:
    with Tab(browser, site.url) as page:
        kinds = page.locator(".timeline .kind").all_text_contents()
        assert kinds == ["operator.drain", "container.died"]
        page.get_by_role("searchbox").fill("ended")
        page.wait_for_function("() => document.querySelectorAll('.timeline li').length === 1")


def test_figures_are_drawn_and_move_on(browser: Any) -> None:
    with Site() as made:
        name, busy = "web.services.haystack", endpoint(1)
        made.figures.histories[name] = [float(n) for n in range(300)], [0.0] * 300, [0.02] * 300
        made.figures.of_services[name] = Rate(300.0, 2.0, 0.5)
        made.figures.of_endpoints[busy.id] = Rate(300.0, 2.0, 0.5)
        made.figures.loads[busy.id] = Now(7)
        made.show(service("web", busy, endpoint(2)), service("idle", endpoint(3)))
        with Tab(browser, made.url) as page:
            charts = card(page, "web").locator("svg")
            page.wait_for_function("() => [...document.querySelectorAll('.wrong')].some(each => each.textContent === '2.0/s errors')")
            assert charts.count() == 3
            assert charts.first.get_attribute("aria-label").startswith("requests: ")
            assert card(page, "web").locator(".rows .load").first.text_content() == "300/s \u00b7 500 ms2.0/s errors"
            page.wait_for_selector("meter[aria-label='7 in flight'][value='7'][max='7']")
            assert [each.is_visible() for each in card(page, "web").locator("meter").all()] == [True, False]
            line = "[...document.querySelectorAll('.charts:not([hidden]) .line')][0].getAttribute('d')"
            drawn = charts.first.locator(".line").get_attribute("d")
            made.call(made.figures.of_services.clear)
            page.wait_for_function(f"old => {line} !== old", arg=drawn)
            assert not card(page, "idle").locator("svg").first.is_visible()


def test_a_search_finds_services_hosts_containers_and_addresses(browser: Any, site: Site) -> None:
    with Tab(browser, site.url) as page:
        found = {
            "panic": ["panic"],
            "shop.example": ["evil"],
            "web-30": ["slow"],
            "172.117.100.231": ["db"],
            "draining": ["web"],
            "zzz": [],
        }
        for words, names in found.items():
            page.get_by_role("searchbox").fill(words)
            wanted = "".join(f"{name}.services.haystack" for name in names)
            page.wait_for_function("all => [...document.querySelectorAll('h3')].map(each => each.textContent).join('') === all", arg=wanted)


def look_up(page: Any) -> None:
    """Both questions, and their answers."""
    page.get_by_label("Who answers this URL?").fill("http://shop.example.com/x/y")
    page.get_by_role("button", name="Explain").click()
    page.wait_for_selector("text=service evil.services.haystack, by host shop.example.com")
    page.get_by_label("What does DNS say of this name?").fill("example.com")
    page.get_by_role("button", name="Look up").click()
    page.wait_for_selector("text=192.0.2.1")


def test_questions_are_answered(browser: Any, site: Site) -> None:
    with Tab(browser, site.url) as page:
        look_up(page)


def test_examples_are_below_the_origin_and_a_port_that_a_label_has_set_aside_is_said_not_to_be_served(browser: Any) -> None:
    with Site(Snapshot(version=1, created=1.0, origin="home.example")) as made:
        made.show(service("web", endpoint(1), endpoint(2, listener=None, port_name="http")))
        with Tab(browser, made.url) as page:
            page.wait_for_selector("#dns-name[placeholder='web.services.home.example']")
            page.wait_for_selector("#explain-url[placeholder='http://web.services.home.example/']")
            assert page.locator(".rows .protocol").all_text_contents() == ["http", "http, not served"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", ["", "#/service/panic.services.haystack", "#/certificates", "#/service/web.services.haystack"])
@pytest.mark.parametrize("width", [390, 1280])
def test_nothing_bars_those_who_see_or_hear_little(browser: Any, site: Site, certified: Site, scheme: str, view: str, width: int) -> None:
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()
    with Tab(
        browser,
        (certified if "panic" not in view and view else site).url + view,
        color_scheme=scheme,
        viewport={"width": width, "height": 900},
        bypass_csp=True,
    ) as page:
        if "certificates" not in view:
            page.wait_for_selector("svg:visible")
            page.wait_for_selector(".wrong:visible:text('errors')")
        if not view:
            look_up(page)
        found = axe.run(page).response["violations"]
        assert [(each["id"], [node["html"] for node in each["nodes"]][:3]) for each in found] == []


def test_all_of_it_can_be_used_by_keyboard(browser: Any, site: Site) -> None:
    with Tab(browser, site.url) as page:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "To the content"
        seen = set()
        for _ in range(60):
            page.keyboard.press("Tab")
            seen.add(page.evaluate("document.activeElement.id || document.activeElement.textContent"))
        assert {"search", "web.services.haystack", "hide endpoints", "explain-url", "dns-name", "Look up"} <= seen


def certificate(*names: str, issuer: str = "R11", days: float = 60, **more: Any) -> Certificate:
    now = time.time()
    made = {"chain": b"", "key": b"", "kind": "ECDSA P-256", "subject": "", "serial": "1", "fingerprint": "ab" * 32}
    return Certificate(
        **{**made, "names": names, "issuer": issuer, "not_before": now - 86400, "not_after": now + (days + 0.25) * 86400, **more}
    )


@pytest.fixture(scope="module")
def certified() -> Iterator[Site]:
    """One with certificates of all kinds, two public hosts of a service and one that has none."""
    with Site() as made:
        made.state.proxy.ports["https"] = 443
        claims = (
            Carried(host="shop.example.com", public=True),
            Carried(host="a.wild.example.com", public=True),
            Carried(host="bare.example.com", public=True),
        )
        traffic(made, web=1)
        made.show(service("web", endpoint(1), claims=claims))
        made.call(lambda: fill(made.state.certificates))
        yield made


def fill(store: Store) -> None:
    store.put("acme", "shop", certificate("shop.example.com", "example.com"), time.time() + 30 * 86400)
    store.put("folder", "wild", certificate("*.wild.example.com", issuer=EVIL, days=9))
    store.put("folder", "old", certificate("old.example.com", days=-3.0))
    store.put("local", "inside", certificate("*.services.haystack", issuer="Haystack's own", days=14))
    store.fail("acme", key_of_name("astray.example.com"), f"astray.example.com leads elsewhere {EVIL}", time.time() + 600)
    store.fail("folder", "wild", "there is no wild.key beside wild.crt")


def test_certificates_have_a_view_with_what_is_wrong_first(browser: Any, certified: Site) -> None:
    with Tab(browser, certified.url) as page:
        page.wait_for_selector("#certificates:text('5 certificates, 3 problems')")
        page.locator("#certificates").click()
        page.wait_for_selector("h1:text('Certificates')")
        rows = page.locator(".rows [role=row]")
        told = [[cell.strip() for cell in row.locator("[role=cell]").all_text_contents()] for row in rows.all()]
        assert [row[:2] for row in told] == [
            ["none yet", "astray.example.com"],
            ["expired", "old.example.com"],
            ["not renewed", "*.wild.example.com"],
            ["valid", "*.services.haystack"],
            ["valid", "shop.example.com, example.com"],
        ]
        assert told[0][2:5] == ["", "", "ACME"]
        assert told[0][5].endswith("\u00a0min")
        assert EVIL in told[0][6]
        assert told[1][3].startswith("ended 2.")
        assert told[2][2:7] == [EVIL, "9\u00a0days", "folder", "", "there is no wild.key beside wild.crt"]
        assert told[4][2:7] == ["R11", "60\u00a0days", "ACME", "in 30\u00a0d", ""]
        page.locator("#search").fill("example.com valid")
        page.wait_for_selector("h1:text('Certificates: 1 of 5')")
        page.go_back()
        page.wait_for_selector("#problems")
        assert "certificate expired" in page.locator(".problems").text_content()


def test_a_service_says_whether_its_hosts_have_one(browser: Any, certified: Site) -> None:
    with Tab(browser, f"{certified.url}#/service/web.services.haystack") as page:
        hosts = {
            each.locator(":scope > :first-child").text_content().split("/")[2].split(":")[0]: each.locator("small").text_content()
            for each in page.locator(".hosts li").all()
        }
        assert hosts["shop.example.com"] == "public · certificate of R11: 60\u00a0days left"
        assert hosts["a.wild.example.com"].endswith("9\u00a0days left")
        assert hosts["bare.example.com"] == "public · no certificate"
        assert hosts["web.services.haystack"].startswith("certificate of Haystack's own: ")


def test_a_new_certificate_and_one_that_goes_are_seen(browser: Any, certified: Site) -> None:
    with Tab(browser, f"{certified.url}#/certificates") as page:
        page.wait_for_selector("text=old.example.com")
        certified.call(lambda: certified.state.certificates.put("folder", "old", certificate("new.example.com")))
        page.wait_for_selector("text=new.example.com")
        certified.call(lambda: certified.state.certificates.remove("folder", "old"))
        page.wait_for_selector("text=new.example.com", state="detached")
        certified.call(lambda: fill(certified.state.certificates))


SPLIT = """() => {
    const found = [];
    const range = document.createRange();
    for (const element of document.querySelectorAll(".rows [role=cell], .problems li > *, .idle li > *, dd, h3, .hosts li")) {
        const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
        while (walker.nextNode()) for (const match of walker.currentNode.data.matchAll(/\\S+/g)) {
            range.setStart(walker.currentNode, match.index);
            range.setEnd(walker.currentNode, match.index + match[0].length);
            const lines = new Set([...range.getClientRects()].filter(each => each.width > 1).map(each => Math.round(each.top)));
            if (match[0].length <= 22 && lines.size > 1) found.push(match[0]);
        }
    }
    return found;
}"""


@pytest.mark.parametrize("width", [*WIDTHS, 1090])
def test_no_width_breaks_inside_words_or_scrolls_sideways(browser: Any, site: Site, certified: Site, width: int) -> None:
    for url in (site.url, f"{certified.url}#/certificates", f"{certified.url}#/service/web.services.haystack"):
        with Tab(browser, url, viewport={"width": width, "height": 900}) as page:
            assert page.evaluate("document.documentElement.scrollWidth") <= width
            assert page.evaluate(SPLIT) == []


OBSERVE = """() => {
    window.tasks = [];
    const note = list => tasks.push(...list.getEntries().map(each => each.duration));
    new PerformanceObserver(note).observe({ type: "longtask", buffered: true });
}"""


def test_ten_thousand_endpoints_do_not_freeze_it(browser: Any) -> None:
    many = [service(f"s{n}", *(endpoint(n * 10 + each) for each in range(10))) for n in range(800)]
    large = service("large", *(endpoint(8000 + n) for n in range(2000)))
    with Site() as site:
        site.show(*many, large)
        with Tab(browser, site.url) as page:
            page.evaluate(OBSERVE)
            for number in range(20):
                site.show(service("large", endpoint(8000, reason=f"running {number}"), *large.endpoints[1:]))
                page.wait_for_timeout(60)
            page.goto(f"{site.url}#/service/large.services.haystack")
            page.wait_for_selector("text=running 19")
            page.mouse.wheel(0, 100_000)
            page.wait_for_function("() => document.querySelectorAll('.rows > div').length > 60")
            assert page.locator(".rows > div").count() < 1000
            assert max(page.evaluate("() => window.tasks"), default=0) < 1000
