"""Router: which rule a Host and a path lead to, whatever a client may write, and at what cost."""

from __future__ import annotations

import random
import string

import pytest

from haystack._fast.balance import pickers
from haystack._fast.endpoint.endpoint import Route
from haystack._fast.routing.router import BadHostError, Router
from haystack._fast.testing import lookup_ns
from haystack.model.service_options import ServiceOptions


def route(name):
    return Route(name, pickers.make("random", [], []), ServiceOptions())


def router(*rules):
    """Rules written as `host/path`, each leading to a route of that name."""
    made = Router()
    for rule in rules:
        host, slash, path = rule.partition("/")
        made.put(host.encode(), (slash + path or "/").encode(), (route(rule), route(rule + " alt")))
    return made


def found(of, host, path="/", listener=0):
    result = of.lookup(listener, host.encode("latin-1"), path.encode("latin-1"))
    return result and result.service


@pytest.mark.parametrize(
    "host",
    ["www.example.com", "WWW.Example.COM", "www.example.com:80", "www.example.com:", "www.example.com.", "www.example.com.:8080"],
)
def test_a_name_in_any_case_with_port_or_trailing_dot(host):
    """RFC 9110, section 4.2.3."""
    assert found(router("www.example.com"), host) == "www.example.com"


def test_each_listener_has_its_own_routes():
    of = router("a")
    assert [found(of, "a", listener=n) for n in (0, 1)] == ["a", "a alt"]


@pytest.mark.parametrize("host", ["", "com", "example.com", "w.example.com", "xwww.example.com", "www.example.comx", "www.example.com.com"])
def test_another_name_is_nobodys(host):
    assert found(router("www.example.com"), host) is None


@pytest.mark.parametrize(
    ("host", "wins"),
    [
        ("www.example.com", "www.example.com"),
        ("other.example.com", "*.example.com"),
        ("a.b.c.example.com", "*.example.com"),
        ("x.dev.example.com", "*.dev.example.com"),
        ("x.y.dev.example.com", "*.dev.example.com"),
        ("dev.example.com", "*.example.com"),
        ("example.com", None),
        (".example.com", None),
        ("xexample.com", None),
    ],
)
def test_exact_before_wildcard_and_the_longest_suffix_first(host, wins):
    assert found(router("*.example.com", "www.example.com", "*.dev.example.com"), host) == wins


def test_wildcards_of_many_labels():
    deep = ".".join(f"l{n}" for n in range(60))
    of = router(f"*.{deep}", "*.l59")
    assert found(of, f"x.{deep}") == f"*.{deep}"
    assert found(of, f"y.x.{deep}") == f"*.{deep}"
    assert found(of, deep) == "*.l59"
    assert found(of, ".".join("a" * 125) + ".l59") == "*.l59"


@pytest.mark.parametrize(
    ("path", "wins"),
    [
        ("/api", "a/api"),
        ("/api/", "a/api"),
        ("/api/x", "a/api"),
        ("/api?x=/v1", "a/api"),
        ("/api/v1", "a/api/v1"),
        ("/api/v1/x/y", "a/api/v1"),
        ("/api/v1?q", "a/api/v1"),
        ("/api/v10", "a/api"),
        ("/apix", "a"),
        ("/ap", "a"),
        ("/", "a"),
        ("", "a"),
        ("?/api", "a"),
        ("*", "a"),
        ("/x/api", "a"),
        ("/API", "a"),
        ("/%61pi", "a"),
        ("//api", "a"),
        ("/./api", "a"),
        ("/x/../api", "a"),
        ("/api/../admin", "a/api"),
        ("/api//v1", "a/api"),
        ("/api;v=1", "a"),
        ("/api#x", "a"),
        ("/api%2Fv1", "a"),
        ("/" + "a" * 60000, "a"),
        ("/api/" + "v" * 60000, "a/api"),
    ],
)
def test_the_longest_prefix_that_ends_with_a_segment_wins_byte_by_byte(path, wins):
    assert found(router("a", "a/api", "a/api/v1"), "a", path) == wins


def test_a_slash_at_the_end_of_a_rule_says_nothing():
    of = router("a/api/")
    assert [found(of, "a", path) for path in ("/api", "/api/", "/api/x", "/")] == ["a/api/"] * 3 + [None]


def test_a_host_whose_prefixes_do_not_match_leaves_the_rest_to_the_wildcards():
    of = router("a.b.c/api", "*.b.c/web", "*.c")
    assert [found(of, "a.b.c", path) for path in ("/api", "/web", "/x")] == ["a.b.c/api", "*.b.c/web", "*.c"]


@pytest.mark.parametrize(
    "host",
    [
        "a b", "a/b", "a@b", "a|b", "a%", "a%4g", "a\tb", "a\0b", "\x80", "ü", "a:b", "a:80x", "a:-1", "a:80:80", "a]",
        "a[", "[::1", "[", "[::1]x",
        "[::1]:x", "[::1\x00]", "[a b]", "[]", "[::1%25eth0]", "[1.2.3.4]",
        "[v.a]", "[v1]", "x" * 256 + "@", "[" + "1" * 300 + "]",
    ],
)  # fmt: skip
def test_what_is_no_host_is_an_error(host):
    """RFC 9112, section 3.2: a Host that is none is refused."""
    with pytest.raises(BadHostError):
        found(router("a", "b", "*.b"), host)


def test_bare_addresses_fall_back_but_names_do_not():
    of = router("a", "10.0.0.1")
    assert found(of, "127.0.0.1") is None
    of.fall_back(route("itself"))
    for host in ("127.0.0.1", "127.0.0.1:80", "127.0.0.1.", "[::1]", "[FE80::1]:8080", "[::ffff:1.2.3.4]", "", ":80"):
        assert found(of, host, "/api") == "itself"
    for host in ("1.2.3", "1.2.3.256", "1.2.3.04", "1.2.3.4.5", "1", "...", "[v1.a]", "0x1.2.3.4"):
        assert found(of, host) is None
    assert found(of, "10.0.0.1") == "10.0.0.1"
    assert found(of, "10.0.0.1.x") is None


@pytest.mark.parametrize(
    "host", ["a_b~", "!$&'()*+,;=", "%41%fF", "x" * 256, "x" * 5000, "[v1.a:b]", "[VfF.a!b]:1", "*.a", f"[v1.{'a' * 300}]"]
)
def test_what_no_dns_has_is_a_host_all_the_same(host):
    """RFC 3986, section 3.2.2: a good one, though nobody has it."""
    of = router("a", "b", "*.b")
    of.fall_back(route("itself"))
    assert found(of, host) is None


def test_the_empty_host_can_have_a_rule():
    of = Router()
    of.put(b"", b"/", (route("itself"),))
    assert found(of, "") == "itself"
    assert found(of, ":80") == "itself"


@pytest.mark.parametrize("size", [1, 7, 8, 9, 15, 16, 17, 63, 254, 255])
def test_names_of_every_length(size):
    name = "n" * size
    of = router(name, "n" * (size - 1) + "m")
    assert found(of, name) == name
    assert found(of, name[:-1]) is None


def test_a_rule_that_can_never_match_is_refused():
    for host, path in ((b"x" * 256, b"/"), (b"a", b"api")):
        with pytest.raises(ValueError, match="no rule"):
            Router().put(host, path, ())


def test_a_rule_that_is_taken_out_leaves_the_others():
    of = router("a", "a/api/v1", "*.a")
    of.put(b"a", b"/api/v1", None)
    assert found(of, "a", "/api/v1") == "a"
    of.put(b"a", b"/", None)
    assert found(of, "a") is None
    of.put(b"*.a", b"/", None)
    assert found(of, "x.a") is None
    assert of.rules == 0
    of.put(b"nobody", b"/x", None)
    assert of.rules == 0


def test_rules_come_and_go_as_in_a_dict():
    """The same answers as a dict by (host, path), through thousands of changes."""
    rng = random.Random(7)
    of, model = Router(), {}
    hosts = ["".join(rng.choices(string.ascii_lowercase + ".-", k=rng.randrange(1, 30))).strip(".") or "x" for _ in range(300)]
    paths = ["/", "/a", "/a/b", "/a/b/c", "/b", "/a/c"]
    for _ in range(20_000):
        key = rng.choice(hosts), rng.choice(paths)
        if rng.random() < 0.55:
            model[key] = route("/".join(key))
            of.put(key[0].encode(), key[1].encode(), (model[key],))
        else:
            model.pop(key, None)
            of.put(key[0].encode(), key[1].encode(), None)
    assert of.rules == len(model)
    for host in hosts:
        for path in paths:
            above = [path[:n] or "/" for n in range(len(path) + 1) if path[n : n + 1] in {"", "/"}]
            wanted = next((model[host, p] for p in reversed(above) if (host, p) in model), model.get((host, "/")))
            assert of.lookup(0, host.encode(), path.encode()) is wanted


def many(count):
    """A router of so many services with a name, a wildcard and a path each, and 64 requests to each kind."""
    of = Router()
    routes = (route("x"),)
    for n in range(count):
        for host, path in ((b"s%d.services.haystack", b"/"), (b"*.w%d.example.com", b"/"), (b"one.example", b"/api/v%d")):
            of.put(host % n if b"%" in host else host, path % n if b"%" in path else path, routes)
    numbers = [n * count // 64 for n in range(64)]
    exact = [(b"s%d.services.haystack" % n, b"/") for n in numbers]
    wild = [(b"a.w%d.example.com" % n, b"/") for n in numbers]
    path = [(b"one.example", b"/api/v%d/x" % n) for n in numbers]
    missing = [(b"x%d.services.haystack" % n, b"/") for n in numbers]
    return of, exact, wild, path, missing


def test_ten_thousand_services_cost_a_lookup_no_more_than_ten():
    """The best of alternating rounds: a table that is searched would cost a hundred times as much and more."""
    (few, *of_few), (all_, *of_all) = many(10), many(10_000)
    for small, large in zip(of_few, of_all, strict=True):
        times = [(lookup_ns(few, small, 50), lookup_ns(all_, large, 50)) for _ in range(20)]
        assert min(t for _, t in times) < 4 * min(t for t, _ in times) + 200
