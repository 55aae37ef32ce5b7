"""Who may ask: names under services.ORIGIN are for the inside, and nobody else learns so much as that they are there."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.fakes.client import Client, Response
from tests.fakes.origin import Loop, Origin, respond
from tests.fakes.worker import Haystack, Member, host, until

FRIEND, STRANGER, PROXY = "127.0.0.2", "127.0.0.5", "127.0.0.7"
INSIDE = "127.0.0.1,127.0.0.2,10.0.0.0/8,2001:db8::/32"
NOWHERE = "nowhere.services.haystack"


@pytest.fixture(scope="module")
def origins(fakes: Loop) -> Iterator[list[Origin]]:
    made = [Origin(fakes, respond()).start() for _ in range(3)]
    yield made
    for each in made:
        each.stop()


@pytest.fixture(scope="module")
def haystack(origins: list[Origin]) -> Iterator[Haystack]:
    port, other, third = (each.port for each in origins)
    members = [
        Member("web", port, {"haystack.host": "web.example"}),
        Member("open", port, {"haystack.public": "true"}),
        Member("mixed", port, {"haystack.public": "true"}),
        Member("mixed", other),
        Member("intranet", port, {"haystack.host": "intranet.example", "haystack.public": "false"}),
        Member("dead", 1, {"haystack.host": "dead.example", "haystack.wait": "off"}),
        Member("early", third, {"haystack.path": "/api"}),
    ]
    settings = {"HAYSTACK_ALLOW": INSIDE, "HAYSTACK_TRUSTED_PROXIES": f"{PROXY},10.9.0.0/16", "HAYSTACK_ACCESS_LOG": "json"}
    with Haystack(members, **settings) as made:
        yield made


def asked(haystack: Haystack, source: str, name: str, target: str = "/", extra: bytes = b"", method: str = "GET") -> Response:
    with Client(haystack.port, source=source) as client:
        return client.get(name, target, extra, method)


def wire(haystack: Haystack, source: str, request: bytes) -> bytes:
    """The answer byte by byte, but for its Date."""
    with Client(haystack.port, source=source) as client:
        client.send(request)
        client.half_close()
        while client._fill():
            pass
        one = re.sub(rb"Date: [^\r]*", b"Date: x", bytes(client.buffer))
        return re.sub(rb"[0-9a-f]{32}", b"an identity", one)


@pytest.mark.parametrize("name", [host("web"), host("mixed"), host("intranet"), "intranet.example"])
def test_a_name_for_the_inside_answers_there_and_is_404_for_others(haystack: Haystack, name: str) -> None:
    assert asked(haystack, FRIEND, name).status == 200
    assert asked(haystack, STRANGER, name).status == 404


@pytest.mark.parametrize("name", ["web.example", host("open")])
def test_what_is_public_answers_everybody(haystack: Haystack, name: str) -> None:
    assert asked(haystack, FRIEND, name).status == asked(haystack, STRANGER, name).status == 200


REQUESTS = {
    "GET": b"GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n",
    "HEAD": b"HEAD / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n",
    "HTTP/1.0": b"GET / HTTP/1.0\r\nHost: %s\r\n\r\n",
    "POST": b"POST /a?b HTTP/1.1\r\nHost: %s\r\nContent-Length: 3\r\nConnection: close\r\n\r\nabc",
    "Max-Forwards": b"OPTIONS * HTTP/1.1\r\nHost: %s\r\nMax-Forwards: 0\r\nConnection: close\r\n\r\n",
    "TRACE": b"TRACE / HTTP/1.1\r\nHost: %s\r\nMax-Forwards: 0\r\nConnection: close\r\n\r\n",
    "Upgrade": b"GET / HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: close, upgrade\r\n\r\n",
    "absolute": b"GET http://%s/ HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "two": b"GET / HTTP/1.1\r\nHost: %s\r\n\r\nGET /b HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
}


@pytest.mark.parametrize("name", [host("web"), host("dead"), "intranet.example"])
@pytest.mark.parametrize("kind", REQUESTS)
def test_to_a_stranger_a_name_that_is_there_is_like_one_that_is_not(haystack: Haystack, kind: str, name: str) -> None:
    there, nowhere = (wire(haystack, STRANGER, REQUESTS[kind] % each.encode()) for each in (name, NOWHERE))
    assert there == nowhere
    assert there.startswith(b"HTTP/1.1 404 ")
    assert there != wire(haystack, FRIEND, REQUESTS[kind] % name.encode())


def test_only_those_inside_are_told_why_nobody_answers(haystack: Haystack) -> None:
    friend, stranger = (asked(haystack, source, "dead.example") for source in (FRIEND, STRANGER))
    assert friend.get("proxy-status") == 'haystack; error=connection_refused; details="no endpoint could be reached"'
    assert stranger.get("proxy-status") == "haystack; error=connection_refused"
    assert re.fullmatch(rb"502 Bad Gateway \(request [0-9a-f]+\)\n", stranger.body)


def test_only_those_inside_are_told_which_container_is_gone(origins: list[Origin]) -> None:
    with Haystack([Member("web", origins[0].port, {"haystack.host": "web.example"})], HAYSTACK_ALLOW=INSIDE, HAYSTACK_WAIT="0") as made:
        made.show([])
        until(lambda: asked(made, FRIEND, "web.example").status == 503, 10, "it never left")
        friend, stranger = (asked(made, source, "web.example") for source in (FRIEND, STRANGER))
        assert "(gone, " in (friend.get("proxy-status") or "")
        assert stranger.get("proxy-status") == "haystack; error=destination_unavailable"
        assert re.fullmatch(rb"503 Service Unavailable \(request [0-9a-f]+\)\n", stranger.body)
        assert stranger.get("retry-after") == "1"


def test_a_service_is_public_where_all_of_its_containers_are(haystack: Haystack) -> None:
    with Client(haystack.port) as client:
        told = client.get("localhost", "/api/services").body.decode()
    assert "mixedx3 of the same service does not have it" in told


BEHIND = {
    "a stranger": (b"X-Forwarded-For: 203.0.113.5\r\n", 404),
    "somebody inside": (b"X-Forwarded-For: 10.1.2.3\r\n", 200),
    "a stranger who says to be inside": (b"X-Forwarded-For: 10.1.2.3, 203.0.113.5\r\n", 404),
    "a stranger who says so in a field of its own": (b"X-Forwarded-For: 127.0.0.1\r\nX-Forwarded-For: 203.0.113.5\r\n", 404),
    "a stranger behind two proxies": (b"X-Forwarded-For: 10.1.2.3, 203.0.113.5, 10.9.0.1\r\n", 404),
    "somebody inside behind two proxies": (b"X-Forwarded-For: 203.0.113.5, 10.1.2.3, 10.9.0.1\r\n", 200),
    "somebody with IPv6 and a port": (b"X-Forwarded-For: [2001:db8::1]:4711\r\n", 200),
    "IPv4 as IPv6": (b"X-Forwarded-For: ::ffff:10.1.2.3\r\n", 200),
    "nobody that can be read": (b"X-Forwarded-For: unknown\r\n", 404),
    "nobody that can be read, behind two": (b"X-Forwarded-For: 10.1.2.3, _hidden, 10.9.0.1\r\n", 404),
    "something endless": (b"X-Forwarded-For: " + b"1" * 300 + b"\r\n", 404),
    "X-Real-IP of a stranger": (b"X-Real-IP: 203.0.113.5\r\n", 404),
    "X-Real-IP of somebody inside": (b"X-Real-IP: 10.1.2.3\r\n", 200),
    "X-Real-IP twice": (b"X-Real-IP: 10.1.2.3\r\nX-Real-IP: 10.1.2.3\r\n", 404),
    "somebody in a field that is not read": (b"Forwarded: for=10.1.2.3\r\n", 404),
}


@pytest.mark.parametrize(("fields", "status"), BEHIND.values(), ids=BEHIND.keys())
def test_behind_a_trusted_proxy_the_client_that_it_names_counts(haystack: Haystack, fields: bytes, status: int) -> None:
    assert asked(haystack, PROXY, host("web"), extra=fields).status == status


def test_a_trusted_proxys_connection_carries_each_clients_rights_with_its_own_request(haystack: Haystack) -> None:
    with Client(haystack.port, source=PROXY) as client:
        said = (b"X-Forwarded-For: 10.1.2.3\r\n", b"X-Forwarded-For: 203.0.113.5\r\n", b"", b"X-Forwarded-For: 10.1.2.3\r\n")
        assert [client.get(host("web"), extra=fields).status for fields in said] == [200, 404, 404, 200]


@pytest.mark.parametrize("fields", [b"X-Forwarded-For: 10.1.2.3\r\n", b"X-Real-IP: 127.0.0.1\r\n", b"Forwarded: for=10.1.2.3\r\n"])
def test_nobody_else_is_believed(haystack: Haystack, fields: bytes) -> None:
    assert asked(haystack, STRANGER, host("web"), extra=fields).status == 404
    assert asked(haystack, FRIEND, host("web"), extra=fields.replace(b"10.1.2.3", b"203.0.113.5")).status == 200


def test_where_every_client_is_inside_nothing_is_kept_from_anybody(origins: list[Origin]) -> None:
    with Haystack([Member("web", origins[0].port)], HAYSTACK_ALLOW="any") as made:
        assert asked(made, STRANGER, host("web")).status == 200


def test_where_nobody_is_inside_only_public_names_answer(origins: list[Origin]) -> None:
    with Haystack([Member("web", origins[0].port, {"haystack.host": "web.example"})], HAYSTACK_ALLOW="off") as made:
        assert asked(made, FRIEND, host("web")).status == 404
        assert asked(made, FRIEND, "web.example").status == 200


def test_where_only_labelled_containers_are_served_the_others_are_not(origins: list[Origin]) -> None:
    static = '[[container]]\nname = "{0}x"\nimage = "{0}"\naddress = "127.0.0.1"\nports = ["80/tcp"]\nlabels = {{ {1} }}\n'
    made = Haystack([], HAYSTACK_EXPOSE="labelled")
    (made.state.parent / "static.toml").write_text(
        static.format("bare", "") + static.format("told", f'"haystack.port" = "{origins[0].port}"')
    )
    with made:
        until(lambda: asked(made, FRIEND, host("told")).status == 200, 10, "the labelled one is not served")
        assert asked(made, FRIEND, host("bare")).status == 404
        assert "barex" in asked(made, FRIEND, "localhost", "/api/containers").body.decode()
