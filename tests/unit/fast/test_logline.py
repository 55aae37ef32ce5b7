"""The access log's lines say what plain Python would say, byte for byte or the same JSON, whatever a client puts into its request."""

import json
import re
import time
from datetime import UTC, datetime

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from haystack._fast import testing
from haystack._fast.log.access_line import ASKED_FOR, FIELDS
from haystack.model.reports import Trace
from haystack.observe.safe_text import printable

BS = chr(92)
LATIN = st.text(st.characters(max_codepoint=255), max_size=40)
NAMES = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=20)
COUNT = st.integers(0, 2**62)
PHASE = st.integers(0, 10**12).map(lambda ns: ns / 1e6)
REACHED = PHASE | st.just(-1.0)
TRACES = st.builds(
    Trace, time=st.integers(0, 2**32 * 1_000_000).map(lambda us: us / 1e6), worker=st.integers(0, 999), listener=st.just("http-alt:8080"),
    client=LATIN, method=LATIN, host=LATIN, target=LATIN, service=NAMES, candidates=st.lists(NAMES, max_size=8).map(tuple), endpoint=NAMES,
    reused=st.booleans(), status=st.integers(0, 999), received=COUNT, sent=COUNT, route_ms=PHASE, connect_ms=REACHED, first_byte_ms=REACHED,
    total_ms=PHASE, request_id=LATIN, version=st.sampled_from(["1.0", "1.1"]), error=LATIN, detail=LATIN,
    referrer=LATIN, user_agent=LATIN, trace_id=LATIN, client_subject=NAMES, protocol=LATIN,
)  # fmt: skip
ALL = tuple(FIELDS)


def trace(**given):
    return Trace(**({
        "time": 0.0, "worker": 0, "listener": "http:80", "client": "192.0.2.9", "method": "GET", "host": "web.services.haystack",
        "target": "/", "service": "web.services.haystack", "candidates": ("10.0.0.1:80",), "endpoint": "10.0.0.1:80", "reused": False,
        "status": 200, "received": 0, "sent": 12, "route_ms": 0.1, "connect_ms": 0.1, "first_byte_ms": 0.1, "total_ms": 0.4,
    } | given))  # fmt: skip


def plainly(told):
    """The common log format, written down once more, without regard for speed."""
    when = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(round(told.time * 1e6) // 1_000_000))
    request = printable(f"{told.method} {told.target} HTTP/{told.version}").replace('"', "%22") if told.method or told.target else "-"
    client = printable(told.client).replace('"', "%22")
    return f'{client} - - [{when}] "{request}" {told.status} {told.sent or "-"}'.encode()


def quoted(text):
    shown = "".join(f"{BS}x{ord(c):02x}" if c in ('"', BS) else printable(c) for c in text)
    return f'"{shown or "-"}"'


def test_common_is_the_common_log_format():
    assert testing.access_line("common", trace(version="1.0")) == b'192.0.2.9 - - [01/Jan/1970:00:00:00 +0000] "GET / HTTP/1.0" 200 12\n'


def test_common_can_not_be_forged_by_a_target():
    line = testing.access_line("common", trace(target='/" 200 1\x1b[2J\r\n', sent=0))
    assert line.count(b'"') == 2
    assert not any(sign in line[:-1] for sign in (b"\x1b", b"\r", b"\n"))
    assert line.endswith(b"200 -\n")


def test_a_request_whose_head_could_not_be_read_is_a_dash_in_common():
    assert b'] "-" 400 99\n' in testing.access_line("common", trace(method="", target="", status=400, sent=99))


def test_json_is_an_object_with_all_of_the_trace():
    given = {"status": 502, "error": "connection_refused", "detail": '"', "referrer": "http://a/", "user_agent": "curl/8"}
    line = testing.access_line("json", trace(**given, candidates=("10.0.0.1:80", "[fd00::1]:80")))
    assert line == (
        b'{"time":"1970-01-01T00:00:00.000000Z","worker":0,"listener":"http:80","client":"192.0.2.9","method":"GET","host":"web.services.haystack","target":"/",'
        b'"service":"web.services.haystack","candidates":["10.0.0.1:80","[fd00::1]:80"],"endpoint":"10.0.0.1:80","reused":false,"status":502,'
        b'"received":0,"sent":12,"route_ms":0.100000,"connect_ms":0.100000,"first_byte_ms":0.100000,"total_ms":0.400000,"request_id":"",'
        b'"version":"1.1","error":"connection_refused","detail":"\\"","referrer":"http://a/",'
        b'"user_agent":"curl/8"}\n'
    )


@pytest.mark.parametrize("code", range(256))
def test_any_byte_of_a_target_leaves_a_json_line_one_line_without_control_characters(code):
    line = testing.access_line("json", trace(target=f"/{chr(code)}x"))
    assert json.loads(line)["target"] == f"/{chr(code)}x"
    assert line.decode()[:-1].isprintable() or code == 0xA0


@settings(deadline=None, max_examples=400)
@given(TRACES)
def test_json_means_what_a_json_library_writes(told):
    line = testing.access_line("json", told, ALL)
    when = datetime.fromtimestamp(round(told.time * 1e6) // 1_000_000, UTC).isoformat()[:19]
    meant = msgspec.json.decode(msgspec.json.encode(told)) | {"time": f"{when}.{round(told.time * 1e6) % 1_000_000:06}Z"}
    assert msgspec.json.decode(line) == meant
    assert line.count(b"\n") == 1
    usual = {name: value for name, value in meant.items() if name not in ASKED_FOR}
    assert msgspec.json.decode(testing.access_line("json", told)) == usual


@settings(deadline=None, max_examples=200)
@given(TRACES, st.lists(st.sampled_from(ALL), min_size=1, unique=True))
def test_a_line_has_the_fields_that_were_chosen_in_their_order(told, chosen):
    line = testing.access_line("json", told, tuple(chosen))
    whole = json.loads(testing.access_line("json", told, ALL))
    assert list(json.loads(line).items()) == [(name, whole[name]) for name in chosen]


def ecs(told):
    """What a line in ECS says, written down once more: what is empty is not there, and durations are nanoseconds."""
    when = datetime.fromtimestamp(round(told.time * 1e6) // 1_000_000, UTC).isoformat()[:19]
    found = {"@timestamp": f"{when}.{round(told.time * 1e6) % 1_000_000:06}Z"}
    for name, (known, *_) in FIELDS.items():
        value = getattr(told, name)
        if name.endswith("_ms"):
            value = None if value < 0 else round(value * 1e6)
        elif name == "host":
            value = re.sub(r":[0-9]*\Z", "", value, flags=re.DOTALL)
        if known != "@timestamp" and value not in ("", (), None) and not (name == "host" and told.host == ""):
            found[known] = list(value) if isinstance(value, tuple) else value
    return found | {"ecs.version": "8.17.0", "event.kind": "event", "event.category": ["web"], "event.dataset": "haystack.access"}


@settings(deadline=None, max_examples=400)
@given(TRACES)
def test_ecs_means_what_plain_python_writes(told):
    line = testing.access_line("ecs", told)
    assert {"url.domain": "", **json.loads(line)} == {"url.domain": "", **ecs(told)}
    assert line.count(b"\n") == 1


@pytest.mark.parametrize(
    ("host", "domain"),
    [("a.example", "a.example"), ("a.example:8080", "a.example"), ("[::1]:80", "[::1]"), ("[::1]", "[::1]"), ("10.0.0.1", "10.0.0.1")],
)
def test_ecs_has_the_domain_without_its_port(host, domain):
    assert json.loads(testing.access_line("ecs", trace(host=host)))["url.domain"] == domain


def test_ecs_has_the_names_of_the_schema():
    given = {"status": 502, "error": "connection_refused", "detail": "why", "trace_id": "ab" * 16, "request_id": "mine"}
    line = json.loads(testing.access_line("ecs", trace(**given)))
    assert line["http.response.status_code"] == 502
    assert line["event.duration"] == 400_000
    assert (line["error.code"], line["error.message"], line["trace.id"], line["http.request.id"]) == (
        "connection_refused", "why", "ab" * 16, "mine",
    )  # fmt: skip
    assert "user_agent.original" not in line
    assert json.loads(testing.access_line("ecs", trace(), ("error",))) == {
        "ecs.version": "8.17.0", "event.kind": "event", "event.category": ["web"], "event.dataset": "haystack.access",
    }  # fmt: skip


@settings(deadline=None, max_examples=400)
@given(TRACES)
def test_common_is_what_plain_python_writes(told):
    assert testing.access_line("common", told) == plainly(told) + b"\n"


@settings(deadline=None, max_examples=400)
@given(TRACES)
def test_combined_is_common_with_referrer_and_user_agent(told):
    """As Apache and nginx have it, and goaccess and AWStats read it; what would end a field is escaped."""
    line = testing.access_line("combined", told)
    assert line == plainly(told) + f" {quoted(told.referrer)} {quoted(told.user_agent)}\n".encode()
    assert line.count(b'"') == 6


def test_combined_is_what_its_readers_expect():
    told = trace(referrer="http://a.example/?q=1", user_agent='X ("x" \\', time=86400.0 * 365)
    expected = r'192.0.2.9 - - [01/Jan/1971:00:00:00 +0000] "GET / HTTP/1.1" 200 12 "http://a.example/?q=1" "X (\x22x\x22 \x5c"'
    assert testing.access_line("combined", told).decode() == f"{expected}\n"
    assert testing.access_line("combined", trace()).endswith(b' 200 12 "-" "-"\n')


@pytest.mark.parametrize("day", [*range(0, 60000, 97), 59, 60, 789, 790, 11015, 11016, 47540, 47541])
def test_each_day_has_its_date(day):
    """The 29th of February of 1972 and 2000, and the 1st of March of 2100, are among them."""
    told = trace(time=day * 86400.0 + 86399)
    assert testing.access_line("common", told) == plainly(told) + b"\n"
    assert json.loads(testing.access_line("json", told))["time"] == time.strftime("%Y-%m-%dT23:59:59.000000Z", time.gmtime(told.time))
