"""What `top` lists, and its screen: orders, keys, sizes, and nothing of others that moves the cursor."""

import json
import re

import pytest
from msgspec.structs import replace

from haystack.console import busiest
from haystack.console.busiest import SORTS
from haystack.console.commands import top
from haystack.console.top_screen import AROUND, Screen, fitted
from haystack.console.top_screen import SERVICES as COLUMNS
from haystack.loop.turns import at_once
from haystack.model.durations import slot_of
from haystack.model.readiness import Readiness
from haystack.model.services import Override, Service
from haystack.proxy.traffic import Now
from tests.fakes.state import ENDPOINT, NAME, state

SUFFIX = ".services.haystack"


def busy(requests, errors, milliseconds):
    """What a worker tells of a second."""
    return (errors, 0, requests - errors, 0, 0, 0), 0, 0, 0, 0, (slot_of(milliseconds / 1000), requests)


def crowd(count=0, **traffic):
    """Services with one endpoint each, and what they had: name → (requests, errors, milliseconds)."""
    here = state()
    names = [*traffic, *(f"idle{n:05}" for n in range(count))]
    here.snapshot.services = {
        f"{name}{SUFFIX}": Service(name=f"{name}{SUFFIX}", endpoints=(replace(ENDPOINT, id=f"{name}:80/tcp", container_name=f"c-{name}"),))
        for name in names
    }
    for name, figures in traffic.items():
        here.proxy.traffic.put(f"{name}{SUFFIX}", f"{name}:80/tcp", busy(*figures), 1.0)
    at_once(here.rates.look(7))
    return here


def order(here, sort, name=None):
    return [row.name.removesuffix(SUFFIX) for row in at_once(busiest.rows(here, name, sort))]


def test_the_largest_comes_first_and_the_rest_by_name():
    here = crowd(2, slow=(1, 0, 900), quick=(50, 0, 1), bad=(9, 9, 30))
    assert order(here, "rate") == ["quick", "bad", "slow", "idle00000", "idle00001"]
    assert order(here, "errors")[0] == "bad"
    assert order(here, "p99")[:3] == order(here, "p50")[:3] == ["slow", "bad", "quick"]
    assert order(here, "name") == ["bad", "idle00000", "idle00001", "quick", "slow"]
    here.proxy.traffic.gauges.loads["idle00001:80/tcp"] = Now(3, 1)
    here.proxy.traffic.gauges.waiting["idle00000" + SUFFIX] = 5
    assert order(here, "flight")[0] == "idle00001"
    assert order(here, "queue")[0] == "idle00000"
    assert set(SORTS) == {"rate", "errors", "p50", "p99", "flight", "queue", "name"}


def test_the_endpoints_of_a_service_have_figures_of_their_own():
    here = crowd(web=(50, 5, 1))
    (row,) = at_once(busiest.rows(here, f"web{SUFFIX}", "rate"))
    assert (row.name, row.rate.requests, row.rate.errors) == ("web:80/tcp", 50.0, 5.0)
    assert at_once(busiest.rows(here, "nobody", "rate")) is None
    assert json.loads(json.dumps(busiest.shape(row)))["container"] == "c-web"


def test_what_operators_decided_is_told_with_an_endpoint():
    here = crowd(web=(50, 5, 1))
    (service,) = here.snapshot.services.values()
    weight = Override(scope="endpoint", target="web:80/tcp", name="c-web:80", weight=7, by="ann", why="canary", at=1.0)
    weighed = replace(service.endpoints[0], weight=7, overrides=(weight,))
    here.snapshot.services[service.name] = replace(service, endpoints=(weighed,))
    (row,) = at_once(busiest.rows(here, service.name, "rate"))
    shape = busiest.shape(row)
    assert (shape["weight"], [each["by"] for each in shape["overrides"]]) == (7, ["ann"])
    assert top.cells(row, "haystack")[-1] == "in; weight 7 by ann: canary"
    assert "in; weight 7 by ann: ca\u2026" in "\n".join(text(at_once(screen(here, service=service.name).frame(120, 20))))


def text(frame):
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", frame).split("\r\n")


def screen(here, *, sort="rate", service=None, colour=False):
    made = Screen(here, sort, service, colour=colour)
    at_once(made.look())
    return made


def test_a_frame_is_as_large_as_the_screen_and_says_the_sums():
    lines = text(at_once(screen(crowd(50, web=(50, 5, 1))).frame(80, 20)))
    assert len(lines) == 20
    assert lines[0].startswith("50.0 requests/s, 5.0 errors/s, 0 in flight, 0 waiting  Haystack ")
    assert re.match(r"SERVICE +\*REQ/S +ERR/S +P50 +P99 +FLIGHT", lines[1])
    assert re.match(r"web +50\.0 +5\.0 +\S+ms +\S+ms +0", lines[2])
    assert lines[-1].startswith("r rate")


@pytest.mark.parametrize("width", [1, 2, 3, 10, 40, 80, 1000])
@pytest.mark.parametrize("height", [1, 2, 3, 4, 24, 500])
@pytest.mark.parametrize("service", [None, f"web{SUFFIX}"])
def test_nothing_is_outside_of_a_screen_of_any_size(width, height, service):
    shown = screen(crowd(50, web=(50, 5, 1)), service=service)
    for key in ("", "end", "down", "page up"):
        shown.press(key, height)
        lines = text(at_once(shown.frame(width, height)))
        assert len(lines) <= height
        assert max(map(len, lines)) <= max(1, width - 1)


def test_columns_leave_a_narrow_screen_and_the_rate_stays():
    assert [c.title for c in fitted(COLUMNS, 100)[0]] == ["REQ/S", "ERR/S", "P50", "P99", "FLIGHT", "QUEUE", "READY"]
    assert [c.title for c in fitted(COLUMNS, 45)[0]] == ["REQ/S", "ERR/S", "P99"]
    assert [c.title for c in fitted(COLUMNS, 5)[0]] == ["REQ/S"]


def chosen(frame):
    return [re.split(r"\s+", line)[0] for line in re.findall(r"\x1b\[7m(.*?)\x1b", frame)]


def test_arrows_move_through_all_rows_and_the_chosen_one_is_kept_when_the_order_changes():
    here = crowd(100)
    shown = screen(here)
    assert chosen(at_once(shown.frame(80, 20))) == []
    for key, name in (
        ("down", "idle00001"),
        ("page down", f"idle{1 + 20 - AROUND:05}"),
        ("end", "idle00099"),
        ("down", "idle00099"),
        ("up", "idle00098"),
    ):
        assert shown.press(key, 20)
        assert chosen(at_once(shown.frame(80, 20))) == [name]
    here.proxy.traffic.put(f"idle00098{SUFFIX}", "idle00098:80/tcp", busy(9, 0, 1), 1.0)
    at_once(here.rates.look(8))
    at_once(shown.look())
    frame = at_once(shown.frame(80, 20))
    assert chosen(frame) == ["idle00098"]
    assert text(frame)[2].startswith("idle00098")


def test_enter_shows_the_endpoints_and_escape_the_services_again():
    shown = screen(crowd(5, web=(50, 0, 1)))
    shown.press("down", 20)
    shown.press("enter", 20)
    at_once(shown.look())
    assert text(at_once(shown.frame(100, 20)))[2].startswith("c-idle00000:80")
    shown.press("escape", 20)
    at_once(shown.look())
    assert chosen(at_once(shown.frame(80, 20))) == ["idle00000"]
    assert shown.press("escape", 20)
    assert not shown.press("q", 20)


def test_a_service_that_leaves_while_it_is_looked_at_is_told():
    here = crowd(web=(1, 0, 1))
    shown = screen(here, service=f"web{SUFFIX}")
    here.snapshot.services = {}
    at_once(shown.look())
    assert "no service web.services.haystack any more: Esc goes back" in text(at_once(shown.frame(80, 20)))[2]
    shown.press("left", 20)
    at_once(shown.look())
    assert "nothing yet" in text(at_once(shown.frame(80, 20)))[2]


def test_names_of_others_do_not_move_the_cursor():
    here = crowd(**{"\x1b[2Jevil\r\n\u202e": (1, 1, 1)})
    for service in (None, next(iter(here.snapshot.services))):
        frame = at_once(screen(here, service=service, colour=True).frame(200, 20))
        assert all(line.isprintable() for line in text(frame))
        assert "evil" in frame


def test_errors_are_red_and_who_waits_or_is_out_is_yellow():
    here = crowd(1, well=(5, 0, 1), bad=(5, 1, 1))
    here.proxy.traffic.gauges.waiting["idle00000" + SUFFIX] = 5
    frame = at_once(screen(here, colour=True).frame(80, 20))
    assert re.search("\x1b\\[31mbad ", frame)
    assert re.search("\x1b\\[33midle00000 ", frame)
    assert re.search("\r\nwell ", frame)


def test_only_what_fits_is_made_into_text(monkeypatch):
    made = []
    monkeypatch.setattr(busiest, "of_service", lambda service: made.append(service) or Readiness(1, 0, 1))
    at_once(screen(crowd(3000)).frame(100, 24))
    assert len(made) == 24 - AROUND


def test_a_state_without_traffic_is_one_of_zeros():
    row = at_once(busiest.rows(state(), NAME, "rate"))[0]
    assert row.rate == (0, 0, 0, 0)
    assert at_once(busiest.sums(state(), {})) == (0, 0, 0, 0)
