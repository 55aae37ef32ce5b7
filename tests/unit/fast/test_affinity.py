"""Where a request belongs: the key of its hash, and the member that its cookie names."""

from __future__ import annotations

import re
from http.cookies import SimpleCookie

import pytest

from haystack._fast.endpoint.endpoint import Route
from haystack._fast.testing import cookie_line, digest_of, key_of, recall
from haystack.model.service_options import ServiceOptions
from tests.fakes.members import member, picker

ME = b"192.0.2.7"


def head(target="/", *fields):
    lines = [f"GET {target} HTTP/1.1", "Host: web", *fields]
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()


def route(balance, sticky=None, size=3):
    return Route("web", picker(balance.partition(":")[0], *[100] * size), ServiceOptions(balance=balance, sticky=sticky, timeout=1.0))


def key(balance, *request):
    return key_of(route(balance), head(*request), ME)


@pytest.mark.parametrize("balance", ["p2c", "random", "roundrobin", "leastconn", "ewma"])
def test_only_a_hash_has_a_key(balance):
    assert key(balance) == 0


def test_plain_hash_goes_by_the_client():
    assert key("hash", "/a") == key("hash", "/b") == digest_of(ME)
    assert key_of(route("hash"), head(), b"192.0.2.8") != digest_of(ME)


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("/", b"/"),
        ("/a/b", b"/a/b"),
        ("/a/b?c=/d?e", b"/a/b"),
        ("/?", b"/"),
        ("http://web/a?b", b"/a"),
        ("HTTP://web:80/a", b"/a"),
        ("http://web", b"/"),
        ("http://web?a", b"/"),
        ("*", b"*"),
    ],
)
def test_by_path_the_query_and_the_authority_do_not_count(target, path):
    assert key("hash:path", target) == digest_of(path)


def test_by_header_its_value_counts_in_any_case_of_its_name():
    assert key("hash:header:x-user", "/", "X-User: ann") == key("hash:header:x-user", "/b", "x-USER:  ann ") == digest_of(b"ann")
    assert key("hash:header:x-user", "/", "X-User: Ann") != digest_of(b"ann")


def test_by_header_all_of_its_lines_count():
    """RFC 9110, section 5.3."""
    assert key("hash:header:x-user", "/", "X-User: a", "X-User: b") == digest_of(b"b", digest_of(b"a"))


def test_by_host_header():
    assert key("hash:header:host") == digest_of(b"web")


@pytest.mark.parametrize(
    "line",
    [
        "Cookie: sid=abc",
        "cookie: a=b; sid=abc",
        'Cookie: sid="abc"',
        "Cookie: a;; =;sid = abc ;b=c",
        "Cookie: SID=no; sid=abc",
        "Cookie: sid=; sid=abc",
    ],
)
def test_by_cookie_its_value_counts_however_it_is_written(line):
    assert key("hash:cookie:sid", "/", line) == digest_of(b"abc")


def test_by_cookie_the_second_line_is_read_too():
    assert key("hash:cookie:sid", "/", "Cookie: a=b", "Cookie: sid=abc") == digest_of(b"abc")


@pytest.mark.parametrize(
    ("balance", "fields"),
    [
        ("hash:header:x-user", ()),
        ("hash:header:x-user", ("X-Users: a", "X-Use: a")),
        ("hash:header:x-user", ("X-User:",)),
        ("hash:cookie:sid", ()),
        ("hash:cookie:sid", ("Cookie: sid",)),
        ("hash:cookie:sid", ("Cookie: sid=",)),
        ("hash:cookie:sid", ('Cookie: sid=""; sids=a; si=b; =c; ;', "Cookie:", "Cookies: sid=a")),
    ],
)
def test_without_it_the_client_counts(balance, fields):
    assert key(balance, "/", *fields) == digest_of(ME)


def test_a_token_is_opaque_and_stays():
    """Pinned: after a restart, with another release too, a client still comes to its endpoint."""
    assert member(1).cookie_value == member(1).cookie_value == "efe0ff8bf9614a47"
    tokens = {member(n, service).cookie_value for n in range(200) for service in ("web", "api")}
    assert len(tokens) == 400
    assert all(re.fullmatch("[0-9a-f]{16}", token) for token in tokens)


def test_the_cookie_that_is_written_is_understood_and_recalled():
    of = route("p2c", "sid")
    for m in of.members:
        line = cookie_line(of, m).decode()
        assert line.endswith("\r\n")
        assert line.count("\r\n") == 1
        name, _, value = line.strip().partition(": ")
        morsel = SimpleCookie(value)["sid"]
        assert (name, morsel["path"], morsel["httponly"], morsel["samesite"]) == ("Set-Cookie", "/", True, "Lax")
        assert recall(of, head("/", f"Cookie: a=b; sid={morsel.value}; c=d")) is m


@pytest.mark.parametrize(
    "line",
    [
        "Cookie: sid={}",
        "COOKIE:sid={}",
        "Cookie: sid=old; sid={}",
        'Cookie: a="x;sid={}',
        'Cookie: sid="{}"',
        "Cookie: \tsid\t=\t{}\t;",
        "Cookie: ;;;sid={};",
    ],
)
def test_a_cookie_is_recalled_however_it_is_written(line):
    of = route("p2c", "sid")
    assert recall(of, head("/", line.format(of.members[1].cookie_value))) is of.members[1]


@pytest.mark.parametrize(("path", "said"), [("/", b"; Path=/; "), ("/api/v1", b"; Path=/api/v1; "), ("/a;b", b"; Path=/; ")])
def test_the_cookie_is_for_the_paths_of_the_service(path, said):
    of = Route("web", picker("p2c", 1, 1), ServiceOptions(balance="p2c", sticky="sid", timeout=1.0), path=path)
    assert said in cookie_line(of, of.members[0])


def test_cookies_in_several_lines_are_all_read():
    of = route("p2c", "sid")
    assert recall(of, head("/", "Cookie: sid=0123456789abcdef", f"Cookie: sid={of.members[2].cookie_value}")) is of.members[2]


@pytest.mark.parametrize(
    "line",
    [
        "X-Cookie: sid={}",
        "Cookie: SID={}",
        "Cookie: sid={}0",
        "Cookie: sid=0{}",
        "Cookie: sids={}",
        "Cookie: {}",
        "Cookie: ={}",
        "Cookie: sid={}\t0",
        "Cookie: sid ={}=",
        "Cookie: sid",
    ],
)
def test_nobody_is_recalled_by_anything_else(line):
    of = route("p2c", "sid")
    assert recall(of, head("/", line.format(of.members[1].cookie_value))) is None


def test_a_service_that_is_not_sticky_recalls_nobody():
    of = route("p2c")
    assert recall(of, head("/", f"Cookie: sid={of.members[1].cookie_value}")) is None


def test_who_has_gone_or_is_in_another_service_is_not_recalled():
    of = route("p2c", "sid")
    assert recall(of, head("/", f"Cookie: sid={member(1, 'api').cookie_value}")) is None
    line = f"Cookie: sid={of.members[1].cookie_value}"
    of.members[1].endpoint.gone = True
    assert recall(of, head("/", line)) is None


def test_each_of_thousands_is_recalled():
    of = route("p2c", "sid", size=5000)
    for m in of.members:
        assert recall(of, head("/", f"Cookie: sid={m.cookie_value}")) is m
