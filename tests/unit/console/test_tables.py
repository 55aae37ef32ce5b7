"""Every list as a table on a terminal of 100 columns, with names as a Swarm gives them; and how words that are too long are broken."""

from __future__ import annotations

import dataclasses
import time
from types import SimpleNamespace
from typing import Any

import pytest
from msgspec.structs import replace

from haystack.console import happenings, short_ids, wrapping
from haystack.console.command import Context
from haystack.console.commands import top
from haystack.console.long_text import Lines
from haystack.console.shell import run
from haystack.console.tables import Column, tabled
from haystack.dns.messages import AskerRow
from haystack.dns.peers import Standing
from haystack.loop.turns import at_once
from haystack.model.overrides import Overrides
from haystack.model.records import Container, Engine, Network, Port, Problem
from haystack.model.services import Carried, Cause, Endpoint, Override, Service
from haystack.observe import journal
from haystack.proxy.traffic import Now
from haystack.tls.certificate import Certificate
from haystack.tls.store import Certificates, Entry
from haystack.views.state import State
from tests.fakes.state import picture, state

WIDTH = 100
NOW = time.time()
DIGEST = "sha256:" + "605c77e624ddb75e6110f997c58876baa13f8754486b461117934b24a9dc3a85"
TASKS = ("zx81k2l3m4n5b6v7c8x9z0a1s", "q7w2e9r4t1y6u3i8o5p0a2s4d", "m3n8b1v6c4x9z2l7k5j0h3g8f")  # ids have 25 characters
WEB = "shop-storefront.storefront.services.haystack"
IMAGE = f"registry.example.com/shop/storefront:2026.11.30-1@{DIGEST}"
SOURCE = "tcp://manager-1.internal.example.com:2376"


def address6(number: int) -> str:
    return f"2001:db8:1234:5678:9abc:def0:1234:567{number}"


def container(number: int) -> Container:
    """A task of the service shop_storefront."""
    return Container(
        id=f"{number}{'ab12cd34' * 8}"[:64], name=f"shop_storefront.{number}.{TASKS[number - 1]}", engine="E", image=IMAGE,
        image_id=DIGEST, image_name="storefront", network="shop_default", address=f"10.0.1.{number}5", address6=address6(number),
        address_reason="network shop_default: one that Haystack is on, too", state="running", health="healthy",
        services=("shop-storefront.storefront", "storefront.shop"),
        ports=tuple(Port(number=port, protocol="tcp", name=name) for port, name in ((80, "http"), (443, "https"), (8080, "http-alt"))),
        problems=(Problem(subject="label haystack.heath.path", message="no such label; did you mean health.path? It is ignored"),),
    )  # fmt: skip


CONTAINERS = {each.id: each for each in map(container, (1, 2, 3))}


def endpoint(of: Container, **changes: Any) -> Endpoint:
    made = Endpoint(
        id=f"{of.short_id}:8080/tcp", container=of.id, container_name=of.name, target=f"c{of.short_id}.containers.haystack",
        address=of.address or "", address6=of.address6, port=8080, protocol="tcp", port_name="http-alt", listener="http-alt",
        since=NOW - 5000,
    )  # fmt: skip
    return replace(made, **changes)


def weight(of: Endpoint) -> Override:
    return Override(
        scope="endpoint", target=of.id, name=f"{of.container_name}:8080", container=of.container, weight=10, by="ann@desk.example.com",
        why="canary of the new release", at=NOW - 90, until=NOW + 3000,
    )  # fmt: skip


def swarm() -> State:
    """A stack in a Swarm, with something of everything."""
    first, second, third = CONTAINERS.values()
    drain = Override(scope="container", target=second.id, name=second.name, container=second.id, by="bob", why="new kernel", at=NOW - 60)
    ones = (
        endpoint(first, overrides=(weight(endpoint(first)),), weight=10),
        endpoint(second, ready=False, cause=Cause.DRAINED, reason="drained by bob: new kernel", overrides=(drain,)),
        endpoint(third, ready=False, cause=Cause.EJECTED, reason="ejected: 12 of 20 requests failed", until=NOW + 30),
    )
    claims = tuple(Carried(host=host, endpoints=ones) for host in ("shop.example.com", "www.shop.example.com"))
    seen = picture()
    seen.containers = dict(CONTAINERS)
    seen.services = {name: Service(name=name, endpoints=ones, claims=claims) for name in (WEB, "storefront.shop.services.haystack")}
    seen.engines = {
        "E": Engine(id="E", name="ip-10-0-12-34.eu-central-1.compute.internal", host=SOURCE, address="10.0.12.34", version="27.3.1")
    }
    seen.networks = {
        letter * 25: Network(id=letter * 25, name=name, scope="swarm", engine="E", driver="overlay", gateway=gateway, subnet=subnet)
        for letter, name, gateway, subnet in (
            ("k", "shop_default", "10.0.1.1", "10.0.1.0/24"),
            ("l", "monitoring_internal_metrics", "2001:db8:1234:5678:9abc::1", "2001:db8:1234:5678:9abc::/80"),
        )
    }
    made = state(snapshot=seen)
    made.registry.sources.clear()
    made.registry.sources[SOURCE] = SimpleNamespace(connected=True, error=None, since=NOW - 9000, engine=seen.engines["E"])
    made.registry.sources["tcp://manager-2.internal.example.com:2376"] = SimpleNamespace(
        connected=False, error="connection refused", since=NOW - 60, engine=None
    )
    made.operator.overrides = seen.overrides = Overrides(drains={drain.target: drain}, weights={ones[0].id: ones[0].overrides[0]})
    for each in ones:
        made.proxy.traffic.put(WEB, each.id, ((4, 0, 90, 0, 0, 0), 0, 0, 0, 0, (60, 94)), 0.0)
        made.proxy.traffic.gauges.loads[each.id] = Now(3, 1)
    there = certificate("shop.example.com", "www.shop.example.com", "static.assets.shop.example.com")
    wrong = "x.example.com leads to 203.0.113.77, which is no address of this Haystack"
    entries = Entry("acme", "shop", there, renewal=NOW + 9e6), Entry("acme", "x.example.com", error=wrong, renewal=NOW + 600)
    picture_of = SimpleNamespace(picture=Certificates(entries={(each.source, each.key): each for each in entries}))
    name = "ip-10-0-12-35.eu-central-1.compute.internal"
    peer = Standing(
        name=name, address="2001:db8::35", port=80, up=True, since=NOW, answered=NOW, error="can't be reached (No route to host)"
    )
    return dataclasses.replace(made, certificates=picture_of, peers=lambda: [peer])  # type: ignore[arg-type]


def certificate(*names: str) -> Certificate:
    fields = {"chain": b"", "key": b"", "kind": "ECDSA P-256", "subject": "", "serial": "1", "fingerprint": "ab" * 32}
    return Certificate(**fields, names=names, issuer="Let's Encrypt Authority R11", not_before=NOW - 9e6, not_after=NOW + 9e6)


def asked() -> Context:
    """Who has asked for a name, as workers remember it."""
    row = AskerRow(b"\x0fshop-storefront\x0astorefront\x08services\x08haystack\0", bytes((10, 0, 1, 15)), ("A", "AAAA", "HTTP"), 2.0, 18)
    return Context(width=WIDTH, heard=[row])


def listed(line: str) -> str:
    return run(swarm(), line.split(), asked()).text


def entries() -> str:
    texts = (
        ("container.killed", "was sent SIGTERM"),
        ("endpoint.out", f"gets no more requests for {WEB}: killed with SIGTERM; 2 endpoints left"),
    )
    name = next(iter(CONTAINERS.values())).name
    found = [journal.Entry(number=n, time=NOW + n, kind=kind, about=name, text=text) for n, (kind, text) in enumerate(texts)]
    return "".join(at_once(happenings.text(found, WIDTH)))


def busiest(service: str | None) -> str:
    made = swarm()
    found = at_once(top.busiest.rows(made, service, "rate"))
    assert found
    return "".join(at_once(top.table(made, found, service, WIDTH)))


LISTS = {
    line: (lambda line=line: listed(line))
    for line in (
        "services",
        "containers",
        "networks",
        "engines",
        "peers",
        "endpoints",
        f"service {WEB}",
        f"explain http://{WEB}:8080/",
        "certs",
        "drain",
        "cohorts shop-storefront.storefront",
        f"who {WEB}",
        "who 10.0.1.15",
        "config --all",
        "limits",
        "help",
        "help drain",
    )
} | {"events": entries, "top": lambda: busiest(None), "top of one": lambda: busiest(WEB)}


@pytest.mark.parametrize("name", LISTS)
def test_every_list_is_a_table_of_100_columns(name: str) -> None:
    lines = LISTS[name]().splitlines()
    assert max(map(wrapping.columns, lines)) <= WIDTH
    (at,) = (at for at, line in enumerate(lines) if line and set(line) == {"\u2500"})
    titles = lines[at - 1].split("   ")
    assert len(list(filter(None, titles))) >= 2
    assert all(title.strip() == title.strip().upper() for title in titles)


def rows(text: str, column: str) -> list[str]:
    """The cells of a column, each put together again, without what folding has added."""
    lines = text.splitlines()
    head = next(at for at, line in enumerate(lines) if line.startswith("\u2500")) - 1
    begin = lines[head].index(column)
    end = next((at for at in range(begin + len(column), len(lines[head])) if lines[head][at] != " "), None)
    found: list[str] = []
    for line in lines[head + 2 :]:
        if line[:12].strip():
            found.append("")
        found[-1] += line[begin:end].strip()
    return found


def test_nothing_of_a_name_or_an_address_is_lost() -> None:
    text = listed("containers")
    body = text.partition("\nshop_storefront")[0]
    assert rows(body, "NAME") == [each.name for each in CONTAINERS.values()]
    assert rows(body, "ADDRESS") == [f"{each.address},{each.address6}" for each in CONTAINERS.values()]
    for command in ("endpoints", f"service {WEB}"):
        found = listed(command)
        assert all(each.id in found for each in map(endpoint, CONTAINERS.values()))
    assert rows(listed("networks"), "NAME") == ["monitoring_internal_metrics", "shop_default"]


def test_a_list_has_all_of_its_columns_where_nothing_is_long() -> None:
    head = run(state(), ["containers"], Context(width=WIDTH)).text.splitlines()[0]
    assert head.split() == ["ID", "NAME", "IMAGE", "ADDRESS", "NETWORK", "PORTS", "STATE", "HEALTH", "SERVICES"]


@pytest.mark.parametrize(
    ("image", "shown"),
    [
        ("nginx", "nginx"),
        ("ghcr.io/a/b/web:1.2", "ghcr.io/a/b/web:1.2"),
        (f"nginx:1.27@{DIGEST}", "nginx:1.27"),
        (f"localhost:5000/nginx@{DIGEST}", "localhost:5000/nginx@605c77e624dd"),
        (DIGEST, "605c77e624dd"),
        (DIGEST.removeprefix("sha256:"), "605c77e624dd"),
        ("605c77e624dd", "605c77e624dd"),
        ("deadbeef", "deadbeef"),
    ],
)
def test_an_image_is_told_as_docker_tells_it(image: str, shown: str) -> None:
    assert short_ids.image(image) == shown


def test_what_is_shortened_is_whole_for_programs() -> None:
    assert DIGEST in run(swarm(), ["containers"]).text
    assert DIGEST not in listed("containers")
    assert DIGEST in run(swarm(), ["containers", "--json"]).text
    assert len(listed(f"containers {DIGEST}").splitlines()) > 3, "and found by all of it"


@pytest.mark.parametrize(
    ("text", "width", "lines"),
    [
        ("a b", 10, ["a b"]),
        ("", 10, [""]),
        ("one two three", 8, ["one two", "three"]),
        ("shop_web.1.zx81k2l3m4n5", 15, ["shop_web.1.", "zx81k2l3m4n5"]),
        ("tcp://web-1.example.com", 12, ["tcp://web-1.", "example.com"]),
        ("shop-storefront.shop", 12, ["shop-", "storefront.", "shop"]),
        (address6(1), 20, ["2001:db8:1234:5678:", "9abc:def0:1234:5671"]),
        ("10.0.1.15, fd00::1:2", 11, ["10.0.1.15,", "fd00::1:2"]),
        ("abcdefghijkl", 5, ["abcde", "fghij", "kl"]),
        ("ab abcdefgh", 5, ["ab", "abcde", "fgh"]),
        ("...........", 4, ["....", "....", "..."]),
        ("\u6f22\u6f22\u6f22", 4, ["\u6f22\u6f22", "\u6f22"]),
        ("\u6f22", 1, ["\u6f22"]),
    ],
)
def test_a_word_is_broken_behind_a_sign_and_within_its_parts_only_where_it_has_to_be(text: str, width: int, lines: list[str]) -> None:
    assert wrapping.pieces(text, width) == lines


def test_prose_keeps_whole_words_and_is_left_alone_without_a_terminal() -> None:
    assert list(wrapping.prose(["one two three", "four"], 8)) == ["one two", "three", "four"]
    assert list(wrapping.prose(["one two three"], None)) == ["one two three"]


def test_a_cell_of_blanks_breaks_no_list() -> None:
    out = Lines()
    at_once(tabled(out, [Column("why", fold=True), "by"], [("\u3000" * 60, "me"), ("   " * 60, "me")], 40))
    assert "me" in "".join(out.pieces())


def test_a_word_without_end_is_not_measured_to_its_end_for_each_line(monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[int] = []
    monkeypatch.setattr(wrapping, "columns", lambda text: measured.append(len(text)) or len(text))
    assert wrapping.pieces("\u00e9" * 50_000, 80) == ["\u00e9" * 80] * 625
    assert sum(measured) < 10 * 50_000


def test_without_a_terminal_one_long_cell_does_not_make_all_rows_long():
    """A certificate of 3,000 names had `certs` print a megabyte for a dozen rows."""
    out, names = Lines(), ", ".join(f"{n}.shop.example.com" for n in range(3000))
    rows = [(names, "file", "R11"), *((f"{n}.example.com", "file", "R11") for n in range(12))]
    at_once(tabled(out, ("names", "source", "issuer"), rows, None))
    lines = "".join(out.pieces()).splitlines()
    assert lines[2] == f"{names}   file     R11"
    assert max(map(len, [*lines[:2], *lines[3:]])) < 200
    assert {line.index("file") for line in lines[3:]} == {lines[0].index("SOURCE")}
