"""Who answers: sticky cookies, hashes and weights through a real Haystack, with endpoints that come and go (product: labels)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.fakes.client import Client, Response
from tests.fakes.origin import Loop, Origin, respond
from tests.fakes.worker import Haystack, Member, host, until

SIZE = 4
KEYS = [f"key-{n}" for n in range(120)]
COOKIE = re.compile(r"sid=([0-9a-f]{16}); Path=/; HttpOnly; SameSite=Lax")


class Fleet:
    """Four origins, each of which answers with its number, and a Haystack before the service `web` of all of them."""

    def __init__(self, haystack: Haystack, members: list[Member]) -> None:
        self.haystack = haystack
        self.members = members

    def get(self, target: str = "/", fields: str = "") -> Response:
        """One request on a connection of its own."""
        with Client(self.haystack.port) as client:
            return client.get(host("web"), target, fields.encode())

    def who(self, target: str = "/", fields: str = "") -> int:
        response = self.get(target, fields)
        assert response.status == 200
        return int(response.body)

    def show(self, *numbers: int) -> None:
        """These members only, from now on."""
        self.haystack.show([each if n in numbers else None for n, each in enumerate(self.members)])
        until(lambda: self.haystack.serving("web") == len(numbers), 15, "the change was never published")
        with Client(self.haystack.port) as client:
            # its counts come from every worker, behind the table that it was sent before
            assert client.get("localhost", "/metrics").status == 200


@pytest.fixture(scope="module")
def ports(fakes: Loop) -> Iterator[list[int]]:
    origins = [Origin(fakes, respond(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n%d" % n)).start() for n in range(SIZE)]
    yield [origin.port for origin in origins]
    for origin in origins:
        origin.stop()


@contextmanager
def fleet(ports: list[int], *labels: dict[str, str], **settings: str) -> Iterator[Fleet]:
    """labels: of each member, the last ones for all that are left."""
    members = [Member("web", port, labels[min(n, len(labels) - 1)]) for n, port in enumerate(ports)]
    with Haystack(members, **settings) as haystack:
        yield Fleet(haystack, members)


def cookie(response: Response) -> str:
    """The value of the only cookie that the response sets."""
    (line,) = response.all("set-cookie")
    found = COOKIE.fullmatch(line)
    assert found, line
    return found.group(1)


def test_a_sticky_cookie_leads_back_after_a_restart_too(ports: list[int]) -> None:
    """Product: haystack.sticky; the value is opaque, the same for every worker, and survives a restart of Haystack."""
    label = {"haystack.sticky": "sid"}
    with fleet(ports, label, HAYSTACK_WORKERS="2") as web:
        given: dict[str, int] = {}
        for _ in range(40):
            response = web.get()
            value = cookie(response)
            assert given.setdefault(value, int(response.body)) == int(response.body)
            assert str(ports[int(response.body)]) not in value
        assert len(given) == SIZE, "one cookie an endpoint"
        for value, number in given.items():
            for _ in range(5):
                response = web.get(fields=f"Cookie: other=1; sid={value}\r\n")
                assert (int(response.body), response.all("set-cookie")) == (number, [])
    with fleet(ports, label) as web:
        assert {value: web.who(fields=f"Cookie: sid={value}\r\n") for value in given} == given


def test_a_sticky_cookie_of_an_endpoint_that_has_gone_is_replaced(ports: list[int]) -> None:
    """Product: haystack.sticky. RFC 6265, section 5.3: the new cookie takes the place of the old one."""
    with fleet(ports, {"haystack.sticky": "sid"}) as web:
        old, gone = next((cookie(r), int(r.body)) for r in (web.get(),))
        web.show(*(n for n in range(SIZE) if n != gone))
        response = web.get(fields=f"Cookie: sid={old}\r\n")
        new, number = cookie(response), int(response.body)
        assert (number != gone, new != old) == (True, True)
        assert {web.who(fields=f"Cookie: sid={new}\r\n") for _ in range(10)} == {number}
        web.show(*range(SIZE))
        assert web.who(fields=f"Cookie: sid={new}\r\n") == number, "the one that is back takes nobody away"
        assert web.who(fields=f"Cookie: sid={old}\r\n") == gone


@pytest.mark.parametrize("value", ["", "0" * 16, "x" * 16, "0" * 15, "0" * 17, "a" * 5000])
def test_a_sticky_cookie_that_names_nobody_is_replaced(ports: list[int], value: str) -> None:
    """Any value may come back: RFC 6265, section 8.3 says nothing of who wrote it."""
    with fleet(ports, {"haystack.sticky": "sid"}) as web:
        assert COOKIE.fullmatch(web.get(fields=f"Cookie: sid={value}\r\n").all("set-cookie")[0])


BY = {
    "header": ("hash:header:x-user", lambda key: ("/", f"X-User: {key}\r\n")),
    "cookie": ("hash:cookie:sid", lambda key: ("/", f"Cookie: sid={key}\r\n")),
    "path": ("hash:path", lambda key: (f"/{key}?{len(key)}", "")),
}


@pytest.mark.parametrize(("balance", "request_of"), BY.values(), ids=BY.keys())
def test_a_key_has_its_endpoint_and_one_that_leaves_moves_only_its_own(ports: list[int], balance: str, request_of: object) -> None:
    """Product: haystack.balance=hash, consistent: the same after a restart, whoever comes or goes."""
    assert callable(request_of)
    with fleet(ports, {"haystack.balance": balance}, HAYSTACK_WORKERS="2") as web:

        def owners() -> dict[str, int]:
            return {key: web.who(*request_of(key)) for key in KEYS}

        before = owners()
        assert owners() == before
        assert all(count > len(KEYS) / SIZE / 3 for count in Counter(before.values()).values())
        web.show(0, 1, 3)
        moved = {key for key, number in owners().items() if number != before[key]}
        assert moved == {key for key, number in before.items() if number == 2}
        web.show(*range(SIZE))
        assert owners() == before
    with fleet(ports, {"haystack.balance": balance}) as web:
        assert {key: web.who(*request_of(key)) for key in KEYS[:20]} == {key: before[key] for key in KEYS[:20]}


def test_plain_hash_goes_by_the_clients_address(ports: list[int]) -> None:
    """Product: haystack.balance=hash; the address is that of the connection, whatever a stranger's X-Forwarded-For says."""
    with fleet(ports, {"haystack.balance": "hash"}) as web:
        assert len({web.who(f"/{n}", f"X-Forwarded-For: 10.0.0.{n}\r\n") for n in range(20)}) == 1
        seen = {n: {_from(f"127.0.1.{n}", web) for _ in range(3)} for n in range(1, 65)}
        assert all(len(numbers) == 1 for numbers in seen.values())
        assert len(set().union(*seen.values())) == SIZE


def _from(address: str, web: Fleet) -> int:
    with Client(web.haystack.port, source=address) as client:
        return int(client.get(host("web")).body)


@pytest.mark.parametrize("balance", ["random", "p2c", "roundrobin", "leastconn", "ewma"])
def test_weights_count(ports: list[int], balance: str) -> None:
    """Product: haystack.weight, with every way to balance; 0 gets nothing while anybody else is there."""
    weights = [{"haystack.balance": balance, "haystack.weight": str(w)} for w in (300, 100, 0, 0)]
    with fleet(ports, *weights) as web, Client(web.haystack.port) as client:
        seen = Counter(int(client.get(host("web")).body) for _ in range(400))
        assert seen[2] == seen[3] == 0
        # one connection at a time has no load to compare: those that go by load go by turns or by chance then, but ewma by who was faster
        assert seen[0] + seen[1] == 400
        assert balance == "ewma" or 1.5 < seen[0] / seen[1] < 6
        web.show(2, 3)
        assert {int(client.get(host("web")).body) for _ in range(40)} <= {2, 3}
