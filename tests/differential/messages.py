"""Requests and answers as HTTP means them, whatever version carries them (RFC 9110): what hypothesis makes of both, valid ones alone."""

from __future__ import annotations

from typing import NamedTuple

from hypothesis import strategies as st

from tests.fakes.worker import host

Pairs = tuple[tuple[str, str], ...]

HOSTS = {"http1": host("old"), "http2": host("new")}  # of the services, by what their endpoint speaks
LARGE = 150_000  # bytes: more than is kept for another try, and than a frame or a window's first part holds


class Ask(NamedTuple):
    """A request. authority: Host as it is spelt; crumbs: of its cookie; parts: of its body, None: it has none; counted: with its length."""

    method: str
    target: str
    authority: str = "{}"
    fields: Pairs = ()
    crumbs: tuple[str, ...] = ()
    parts: tuple[bytes, ...] | None = None
    counted: bool = True
    trailers: Pairs = ()

    @property
    def body(self) -> bytes:
        return b"".join(self.parts or ())


class Say(NamedTuple):
    """An answer. counted: its length is told; ends: its end is the connection's, in HTTP/1; interim: those before it."""

    status: int
    fields: Pairs = ()
    parts: tuple[bytes, ...] = ()
    counted: bool = True
    ends: bool = False
    trailers: Pairs = ()
    interim: tuple[tuple[int, Pairs], ...] = ()

    @property
    def body(self) -> bytes:
        return b"".join(self.parts)


# Fields that go on, that are dropped, and that look like those: as small letters, for HTTP/2 has no others.
NAMES = (
    "accept", "accept-encoding", "authorization", "cache-control", "content-type", "if-none-match", "origin", "priority", "range",
    "referer", "upgrade-insecure-requests", "user-agent", "via", "x-request-id", "a", "x-a", "x-b", "x!#$%&'*+.^_`|~9",
    "forwarded", "proxy", "proxy-authorization", "true-client-ip", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto",
    "x-original-url", "x_forwarded_for", "x-real-ip", "http2-settings", "trailer", "x-forwarded-tls-client-cert-info",
    "content-lengths", "hosts", "hostx",
)  # fmt: skip
SAID = (
    "age", "alt-svc", "cache-control", "content-encoding", "content-language", "content-type", "date", "etag", "last-modified", "link",
    "location", "proxy-status", "retry-after", "server", "set-cookie", "strict-transport-security", "trailer", "vary", "via",
    "www-authenticate", "x-a",
    "x-forwarded-for", "x-request-id", "x_y",
)  # fmt: skip
TRAILERS = (
    "x-sum",
    "x-sum",
    "server-timing",
    "grpc-status",
    "content-type",
    "authorization",
    "set-cookie",
    "if-match",
    "x_forwarded_for",
    "digest",
)


def _trimmed(text: str) -> str:
    return text.strip()  # of what Python takes for white space too: the fakes do


VALUE = st.one_of(
    st.text("abcXYZ019 ,;=\t\"'()/{}[]<>@?\\:-_", max_size=24).map(_trimmed),
    st.binary(max_size=8).map(lambda data: _trimmed("".join(chr(c) for c in data if c == 9 or (c >= 32 and c != 127)))),
    st.sampled_from(["", "trailers", "no-cache, no-store", "gzip;q=0", '"quoted, \\" text"', "x" * 2000, "\xe4\xff\x80"]),
)
TARGET = st.one_of(
    st.sampled_from(["/", "//", "/%00%ff", "/a;b=c,d:e@f!$&'()*+", "/..;/x", "/?", "/a?b?c=/", '/[]|\\^`{}"<>', "/" + "y" * 3000]),
    st.text("abc/?&=%20.;:@~[]!*", max_size=24).map(lambda text: "/" + text),
)
METHOD = st.one_of(
    st.sampled_from(["GET", "GET", "POST", "POST", "HEAD", "PUT", "DELETE", "PATCH", "OPTIONS", "PROPFIND", "get", "x"]),
    st.text("ABCxyz!#$%&'*+-.^_`|~09", min_size=1, max_size=32).filter(lambda text: text != "CONNECT"),
)
SMALL = st.binary(min_size=1, max_size=300)
PARTS = st.one_of(
    *[st.lists(st.one_of(SMALL, st.just(b"\r\n0\r\n\r\n")), max_size=3).map(tuple)] * 7,
    st.tuples(SMALL, st.just(b"l" * LARGE)),
)
AUTHORITY = st.sampled_from(["{}", "{}", "{}", "{}:80", "{}.", "{}:8080", "{upper}"])
CRUMB = st.text('abc=019-_ "', min_size=1, max_size=12).map(lambda text: f"c={text}".rstrip())
TRAILER = st.lists(st.tuples(st.sampled_from(TRAILERS), VALUE), max_size=3).map(tuple)


def pairs(names: tuple[str, ...], most: int) -> st.SearchStrategy[Pairs]:
    """Fields of these names, each as often as it comes."""
    return st.lists(st.tuples(st.sampled_from(names), VALUE), max_size=most).map(tuple)


@st.composite
def asks(draw: st.DrawFn) -> Ask:
    """A request that both versions can carry."""
    method, target = draw(METHOD), draw(TARGET)
    if method == "OPTIONS" and draw(st.booleans()):
        target = "*"
    fields = draw(pairs(NAMES, 6))
    if draw(st.integers(0, 9)) == 0:
        fields = (*fields, ("te", "trailers"))
    if method == "TRACE":
        return Ask(method, target, draw(AUTHORITY), fields)  # which has no body (RFC 9110, section 9.3.8)
    parts = draw(st.one_of(st.none(), PARTS))
    counted = draw(st.booleans())
    trailers = draw(TRAILER) if parts is not None and not counted else ()
    return Ask(method, target, draw(AUTHORITY), fields, tuple(draw(st.lists(CRUMB, max_size=3))), parts, counted, trailers)


@st.composite
def says(draw: st.DrawFn) -> Say:
    """An answer that both versions can carry. What a retry may follow (502 to 504) is not among them."""
    status = draw(
        st.sampled_from([200, 200, 200, 201, 203, 204, 205, 206, 301, 302, 304, 307, 400, 401, 404, 405, 418, 422, 429, 451, 500, 599, 999])
    )
    fields = draw(pairs(SAID, 6))
    interim = draw(st.lists(st.tuples(st.sampled_from([100, 102, 103, 199]), pairs(("link", "x-a"), 2)), max_size=2)).copy()
    if status in (204, 205, 304):
        return Say(status, fields, interim=tuple(interim))
    counted = draw(st.booleans())
    trailers = draw(TRAILER) if not counted else ()
    ends = not counted and not trailers and draw(st.booleans())
    return Say(status, fields, draw(PARTS), counted, ends, trailers, tuple(interim))
