"""Who sees the web side: HAYSTACK_ADMIN_ALLOW and HAYSTACK_ADMIN; everybody else learns whether Haystack is well, and nothing more."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fakes.client import Client, Response
from tests.fakes.origin import Origin
from tests.fakes.worker import Haystack, Member, host

FRIEND, STRANGER = "127.0.0.2", "127.0.0.5"
NOWHERE = "nowhere.example"
ITSELF = ("haystack", "ns.haystack", "localhost", "127.0.0.1", "127.0.0.1:80", "[::1]", "HAYSTACK.", "203.0.113.5")
PAGES = (
    *("/", "/ui", "/ui/main.js", "/metrics", "/openapi.json", "/api/info", "/api/containers", "/api/services", "/api/networks"),
    *("/api/events", "/api/explain?url=x", "/api/dns?name=localhost"),
    *("/healthz/x", "/healthzx", "/readyz/", "//healthz"),
)


@pytest.fixture(scope="module")
def haystack(fakes: object) -> Iterator[Haystack]:
    with Haystack([Member("web", 1)], HAYSTACK_ADMIN_ALLOW="127.0.0.1,127.0.0.2") as made:
        yield made


def asked(port: int, source: str, name: str, target: str, method: str = "GET") -> Response:
    with Client(port, source=source) as client:
        return client.get(name, target, b"X-Request-Id: one\r\n", method)


def alike(response: Response) -> tuple[object, ...]:
    return response.status, [(k, v) for k, v in response.fields if k != "Date"], response.body


@pytest.mark.parametrize("name", ITSELF)
@pytest.mark.parametrize("page", PAGES)
def test_to_a_stranger_no_page_is_there(haystack: Haystack, page: str, name: str) -> None:
    assert alike(asked(haystack.port, STRANGER, name, page)) == alike(asked(haystack.port, STRANGER, NOWHERE, page))
    assert asked(haystack.port, STRANGER, name, page, "HEAD").status == 404


@pytest.mark.parametrize("name", ITSELF)
def test_a_friend_sees_them(haystack: Haystack, name: str) -> None:
    assert asked(haystack.port, FRIEND, name, "/ui").status == asked(haystack.port, FRIEND, name, "/api/info").status == 200


@pytest.mark.parametrize("name", ITSELF)
def test_a_stranger_is_told_that_it_is_well_and_nothing_more(haystack: Haystack, name: str) -> None:
    live, ready = (asked(haystack.port, STRANGER, name, page) for page in ("/healthz", "/readyz?x"))
    assert (live.status, json.loads(live.body)) == (200, {"status": "ok"})
    assert (ready.status, json.loads(ready.body)) == (200, {"status": "ready"})
    assert asked(haystack.port, STRANGER, f"http://{name}", "/healthz").status == 400


def test_a_target_in_absolute_form_is_the_same(haystack: Haystack) -> None:
    assert asked(haystack.port, STRANGER, "x", "http://localhost/healthz").status == 200
    assert asked(haystack.port, STRANGER, "x", "http://localhost/ui").status == 404
    assert asked(haystack.port, STRANGER, "x", "http://localhost?/healthz").status == 404


def test_why_it_is_not_ready_is_told_to_friends_alone(tmp_path: Path) -> None:
    broken = tmp_path / "secret.toml"
    broken.write_text("[[container")
    made = Haystack([], HAYSTACK_STATIC=str(broken), HAYSTACK_ADMIN_ALLOW=FRIEND)
    made._readyz = lambda: 200  # type: ignore[method-assign] # it will not be ready
    with made:
        friend, stranger = (asked(made.port, source, "localhost", "/readyz") for source in (FRIEND, STRANGER))
        assert friend.status == stranger.status == 503
        assert json.loads(friend.body)["reasons"]
        assert json.loads(stranger.body) == {"status": "unready"}
        for name in (host("web"), NOWHERE):
            told = asked(made.port, STRANGER, name, "/")
            assert told.status == 503


def test_the_web_side_moves_to_a_listener_of_its_own(origin: Origin) -> None:
    with Haystack([Member("web", origin.port)], HAYSTACK_ADMIN="127.0.0.1:0", HAYSTACK_ADMIN_ALLOW="127.0.0.1,127.0.0.2") as made:
        apart = int(made.wait("ready")["admin"])
        assert made.wait("ready")["page"] == f"http://127.0.0.1:{apart}/ui"
        assert asked(made.port, FRIEND, host("web"), "/").status == 200
        for name in ("localhost", "haystack", "127.0.0.1"):
            assert asked(made.port, FRIEND, name, "/ui").status == asked(made.port, FRIEND, name, "/metrics").status == 404
            assert json.loads(asked(made.port, FRIEND, name, "/readyz").body) == {"status": "ready"}
        for name in ITSELF:
            assert asked(apart, FRIEND, name, "/ui").status == asked(apart, FRIEND, name, "/api/info").status == 200
            assert asked(apart, STRANGER, name, "/ui").status == 404
            assert asked(apart, STRANGER, name, "/healthz").status == 200
        assert asked(apart, FRIEND, "a b", "/ui").status == 400
        instead = Haystack([], instead_of=made, HAYSTACK_ADMIN=f"127.0.0.1:{apart}")
        made.stop = made.ended  # type: ignore[method-assign] # it ends by itself, replaced
        with instead:
            assert asked(apart, FRIEND, "localhost", "/ui").status == 200


REBOUND = ("rebound.example", "127.0.0.1.nip.example", "localhost.example", "xhaystack", "haystack.example", host("web"))


@pytest.mark.parametrize("page", PAGES)
def test_a_name_that_is_not_haystacks_own_leads_to_no_page(haystack: Haystack, page: str) -> None:
    """DNS rebinding: a page on the internet has its own name lead to Haystack, and asks in the browser of a friend."""
    for name in REBOUND[:-1]:
        assert asked(haystack.port, FRIEND, f"{name}:{haystack.port}", page).status == 404


def test_nor_on_a_listener_of_its_own_unless_the_settings_name_it(origin: Origin) -> None:
    with Haystack([Member("web", origin.port)], HAYSTACK_ADMIN="127.0.0.1:0", HAYSTACK_ADMIN_HOSTS="Metrics.Example") as made:
        apart = int(made.wait("ready")["admin"])
        for name in REBOUND:
            assert [asked(apart, FRIEND, f"{name}:{apart}", page).status for page in ("/ui", "/api/info", "/metrics")] == [404] * 3
            assert json.loads(asked(apart, FRIEND, name, "/readyz").body) == {"status": "ready"}
        assert asked(apart, FRIEND, f"metrics.example:{apart}", "/metrics").status == 200


def test_where_the_web_side_is_off_nothing_of_it_is_there(origin: Origin) -> None:
    made = Haystack([Member("web", origin.port)], HAYSTACK_ADMIN="off")
    made._readyz = lambda: 200  # type: ignore[method-assign] # there is none
    with made:
        assert [asked(made.port, FRIEND, "localhost", page).status for page in ("/ui", "/api/info", "/healthz")] == [404] * 3


def test_an_address_that_can_not_be_had_is_told_with_its_setting() -> None:
    made = Haystack([], HAYSTACK_ADMIN="203.0.113.77:9000")
    assert made.killed() == 1
    assert re.search(r"can't listen on 203\.0\.113\.77:9000: .*HAYSTACK_ADMIN", str(made.lines))
