"""Which service answers: the request's Host against names (RFC 9110, sections 4.2, 7.2 and 7.4; RFC 9112, section 3.2)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from haystack.model.records import Container, Listing, Port
from haystack.proxy.supervisor import Supervisor
from haystack.settings.settings import load
from tests.fakes.client import Client, Response
from tests.fakes.origin import Loop, Origin, respond
from tests.fakes.worker import Haystack, Member, Site, until
from tests.oracles.snapshot import build


def test_get_reaches_the_service_and_its_answer_comes_back(site: Site) -> None:
    """RFC 9110, section 9.3.1."""
    host, origin = site.one()
    with site.client() as client:
        response = client.get(host, "/path?query=1")
    assert (response.status, response.body) == (200, b"ok")
    assert origin.requests[0].line == "GET /path?query=1 HTTP/1.1"


@pytest.mark.parametrize("spell", [str.upper, str.title, "{}:80".format, "{}.".format, "{}.:8080".format])
def test_host_matches_in_any_case_with_port_or_trailing_dot(site: Site, spell: object) -> None:
    """RFC 9110, section 4.2.3: host names are case-insensitive; the port is not part of the name."""
    host, _ = site.one()
    with site.client() as client:
        assert client.get(spell(host)).status == 200  # type: ignore[operator]


def test_target_in_absolute_form_wins_over_host(site: Site) -> None:
    """RFC 9112, section 3.2.2: an origin server or gateway takes the target's authority and ignores Host."""
    host, origin = site.one()
    with site.client() as client:
        assert client.get("unknown.services.haystack", f"http://{host}/there").status == 200
    assert origin.requests[0].line.startswith("GET /there ")
    assert origin.requests[0].fields("host") == [host]


@pytest.mark.parametrize("host", ["nowhere.services.haystack", "example.com", "one0.services.haystack.example"])
def test_unknown_host_is_404_and_says_who_says_so(site: Site, host: str) -> None:
    """RFC 9110, section 15.5.5; RFC 9209, section 2: Proxy-Status names who made the answer."""
    with site.client() as client:
        response = client.get(host)
        assert response.status == 404
        assert response.get("proxy-status")
        assert client.get(host).status == 404, "the connection goes on"


def test_a_name_of_haystack_itself_is_the_web_side(site: Site) -> None:
    """Product: ORIGIN, an address or localhost is Haystack itself."""
    for host in ("haystack", "localhost", "127.0.0.1", f"127.0.0.1:{site.port}"):
        with site.client() as client:
            assert client.get(host, "/healthz").status == 200


def test_known_service_with_none_ready_is_503_with_retry_after(tmp_path: Path) -> None:
    """RFC 9110, sections 15.6.4 and 10.2.3; RFC 9209, section 2.3.4 (destination_unavailable)."""
    response = asyncio.run(_ask_a_paused_service(tmp_path))
    assert response.status == 503
    assert int(response.get("retry-after") or "-1") > 0
    assert "destination_unavailable" in (response.get("proxy-status") or "")


async def _ask_a_paused_service(folder: Path) -> Response:
    settings = load({"http_port": "0", "http_alt_port": "0", "bind": "127.0.0.1", "workers": "1"})
    supervisor = Supervisor(settings, str(folder / "admin"))
    supervisor.bind()
    await supervisor.start()
    try:
        supervisor.publish(build(1, "haystack", {"test": Listing(containers=(_paused(),))}, 0.0))
        return await asyncio.to_thread(_until_known, supervisor.ports["http"])
    finally:
        await supervisor.drain(5)


def _paused() -> Container:
    return Container(
        id="c" * 64,
        name="sleeper",
        engine="test",
        image="asleep",
        image_name="asleep",
        state="paused",
        state_reason="paused",
        address="127.0.0.1",
        ports=(Port(number=80, protocol="tcp", name="http"),),
        services=("asleep",),
    )


def _until_known(port: int) -> Response:
    """The worker may not have the snapshot yet: until then the name is unknown, which is 404 (or 503 before any)."""
    for _ in range(200):
        with Client(port) as client:
            response = client.get("asleep.services.haystack")
        if response.status != 404:
            break
    return response


LABELS = {
    "root": {"haystack.host": "app.example"},
    "api": {"haystack.host": "app.example", "haystack.path": "/api/"},
    "deep": {"haystack.host": "app.example,only.example", "haystack.path": "/api/v1"},
    "wild": {"haystack.host": "*.example"},
    "rival": {"haystack.host": "app.example"},
}


def _named(name: str) -> bytes:
    return f"HTTP/1.1 200 OK\r\nContent-Length: {len(name)}\r\n\r\n{name}".encode()


@pytest.fixture(scope="module")
def shared(fakes: Loop) -> Iterator[tuple[int, dict[str, Origin]]]:
    """Services that share host names, each with an origin that answers with its name."""
    origins = {name: Origin(fakes, respond(_named(name))).start() for name in LABELS}
    with Haystack([Member(name, origins[name].port, labels) for name, labels in LABELS.items()]) as haystack:
        yield haystack.port, origins
    for origin in origins.values():
        origin.stop()


@pytest.mark.parametrize(
    ("host", "target", "served"),
    [
        ("app.example", "/", "rival"),
        ("app.example", "/api", "api"),
        ("app.example", "/api/", "api"),
        ("app.example", "/api/v1?x=1", "deep"),
        ("APP.example:80", "/api/v1/x", "deep"),
        ("app.example", "/api/v10", "api"),
        ("app.example", "/apix", "rival"),
        ("app.example", "/API", "rival"),
        ("app.example", "/%61pi", "rival"),
        ("app.example", "//api", "rival"),
        ("app.example", "/x/../api", "rival"),
        ("app.example", "/api/../admin", "api"),
        ("x", "http://app.example/api", "api"),
        ("x", "http://app.example", "rival"),
        ("x", "http://app.example?/api", "rival"),
        ("other.example", "/api", "wild"),
        ("a.b.example", "/", "wild"),
        ("only.example", "/api/v1", "deep"),
        ("only.example", "/", "wild"),
        ("api.services.haystack", "/api", "api"),
    ],
)
def test_host_and_path_lead_to_one_service(shared: tuple[int, dict[str, Origin]], host: str, target: str, served: str) -> None:
    """docs/routing.md; RFC 9110, section 4.2.3: paths are case-sensitive; RFC 9112, section 3.2.2: the absolute form's authority counts."""
    port, _ = shared
    with Client(port) as client:
        response = client.get(host, target)
    assert (response.status, response.body) == (200, served.encode())


@pytest.mark.parametrize(("host", "target"), [("example", "/"), ("api.services.haystack", "/"), ("api.services.haystack", "/apix")])
def test_a_path_that_no_service_of_the_host_has_is_404(shared: tuple[int, dict[str, Origin]], host: str, target: str) -> None:
    """The label restricts all names of its service; `*.example` is not example itself."""
    port, _ = shared
    with Client(port) as client:
        assert client.get(host, target).status == 404


@pytest.mark.parametrize("target", ["/api/../admin", "/api//x", "/api/%2e%2e/x?y=/../z", "/api/v1/%61"])
def test_the_path_goes_up_as_it_came(shared: tuple[int, dict[str, Origin]], target: str) -> None:
    """RFC 9110, section 7.7: a proxy does not rewrite the path of a request that it forwards."""
    port, origins = shared
    with Client(port) as client:
        name = client.get("app.example", target).body.decode()
    assert origins[name].requests[-1].line == f"GET {target} HTTP/1.1"


def test_options_of_the_whole_server_goes_to_the_service_without_prefix(shared: tuple[int, dict[str, Origin]]) -> None:
    """RFC 9110, section 9.3.7: `*` is no path, so it lies below no prefix."""
    port, _ = shared
    with Client(port) as client:
        assert client.get("app.example", "*", method="OPTIONS").body == b"rival"
        assert client.get("api.services.haystack", "*", method="OPTIONS").status == 404


CARRIED = {
    "one": {"haystack.host": "one.example"},
    "two": {"haystack.host": "two.example,both.example", "haystack.sticky": "sid"},
    "both": {"haystack.host": "both.example,localhost,haystack,127.0.0.1,*.services.haystack"},
    "none": {},
}


@pytest.fixture(scope="module")
def carried(fakes: Loop) -> Iterator[int]:
    """Four containers of one service with claims of their own, each with an origin that answers with its name."""
    origins = {name: Origin(fakes, respond(_named(name))).start() for name in CARRIED}
    with Haystack([Member("nginx", origins[name].port, labels) for name, labels in CARRIED.items()]) as haystack:
        yield haystack.port
    for origin in origins.values():
        origin.stop()


@pytest.mark.parametrize(
    ("host", "served"),
    [("one.example", {"one"}), ("two.example", {"two"}), ("both.example", {"two", "both"}), ("nginx.services.haystack", set(CARRIED))],
)
def test_a_host_leads_to_the_containers_that_carry_it_and_no_other(carried: int, host: str, served: set[str]) -> None:
    """docs/routing.md; each on a connection of its own, so that no cookie and no turn hides one."""
    answers = set()
    for _ in range(60):
        with Client(carried) as client:
            response = client.get(host)
        assert response.status == 200
        answers.add(response.body.decode())
    assert answers == served


@pytest.mark.parametrize(("host", "path"), [("localhost", "/healthz"), ("haystack", "/api/info"), ("127.0.0.1", "/healthz")])
def test_no_label_takes_haystacks_own_names(carried: int, host: str, path: str) -> None:
    with Client(carried) as client:
        response = client.get(host, path)
    assert response.status == 200
    assert response.body not in {name.encode() for name in CARRIED}


def test_no_wildcard_takes_names_under_the_origin(carried: int) -> None:
    with Client(carried) as client:
        assert client.get("nobody.services.haystack").status == 404


def test_a_cookie_of_a_claim_sticks_there(carried: int) -> None:
    """The same endpoint has the same value under every name, and the cookie never leads to one that does not carry the claim."""
    with Client(carried) as client:
        told = client.get("two.example").get("set-cookie")
        assert told is not None
        cookie = f"Cookie: {told.partition(';')[0]}\r\n".encode()
        assert {client.get("both.example", extra=cookie).body for _ in range(20)} == {b"two"}
        assert client.get("one.example", extra=cookie).body == b"one"


def test_a_claim_that_has_lost_its_last_container_is_503_while_the_others_serve(fakes: Loop) -> None:
    """As a service is that has: not 404 at once, and not an endpoint that does not carry it."""
    origins = {name: Origin(fakes, respond(_named(name))).start() for name in ("one", "none")}
    one = Member("nginx", origins["one"].port, {"haystack.host": "one.example", "haystack.wait": "off"})
    none = Member("nginx", origins["none"].port, {"haystack.wait": "off"})
    with Haystack([one, none]) as haystack, Client(haystack.port) as client:
        assert client.get("one.example").body == b"one"
        haystack.show([None, none])
        until(lambda: client.get("one.example").status != 200, 10, "it was never out")
        gone = client.get("one.example")
        assert (gone.status, gone.get("retry-after") is not None) == (503, True)
        assert {client.get("nginx.services.haystack").body for _ in range(5)} == {b"none"}
        haystack.show([one, none])
        until(lambda: client.get("one.example").body == b"one", 10, "it never came back")
    for origin in origins.values():
        origin.stop()
