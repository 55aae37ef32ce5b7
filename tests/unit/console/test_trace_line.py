"""An exchange as a line: aligned, complete or brief, and nothing of what a client sends moves a cursor."""

import re

import pytest

from haystack.console.trace_line import brief, duration, size, whole
from tests.fakes.state import trace

EVIL = "\x1b[2J\r\n\u202e"


def test_a_phase_never_reached_is_a_dash_and_an_error_is_named():
    line = whole(trace(candidates=(), endpoint="", status=503, error="destination_unavailable"))
    assert " connect=- " in line
    assert "  - reused" in line
    assert line.endswith("error=destination_unavailable")
    assert whole(trace(error="http_request_error", detail="Host is missing")).endswith("error=http_request_error (Host is missing)")


def test_a_line_begins_with_the_time_and_has_the_request_id():
    line = whole(trace(time=1.25, request_id="4bf92f"))
    assert line.startswith("00:00:01.250 200   2.25ms GET     nginx.services.haystack/x  172.17.0.9:80>172.17.0.2:80 reused ")
    assert " id=4bf92f" in line


@pytest.mark.parametrize("field", ["method", "host", "target", "request_id", "error", "detail", "client"])
def test_a_request_cannot_forge_a_line_or_move_a_cursor(field):
    changed = trace(**{"error": "x", field: EVIL * 3})
    for line in (whole(changed), brief(changed, EVIL), brief(changed, "web", 80)):
        assert line.isprintable()


def test_what_all_lines_have_in_columns_begins_at_the_same_places():
    lines = [
        brief(trace(), "web"),
        brief(trace(status=0, total_ms=12_345.6, method="", error="connection_terminated"), ""),
        brief(trace(total_ms=999.4, method="OPTIONS"), "web"),
    ]
    assert {line.index("nginx.services") for line in lines} == {34}


@pytest.mark.parametrize("width", [0, 1, 20, 34, 40, 60, 80, 100, 200])
@pytest.mark.parametrize("told", ["web", "newuser-web-00002"])
@pytest.mark.parametrize("error", ["", "destination_unavailable", "tls_certificate_error"])
def test_a_line_is_never_wider_than_the_terminal(width, told, error):
    line = brief(trace(target="/" + "long/" * 100, error=error), told, width, origin="haystack")
    assert len(line) == width
    if width >= 100:
        assert line.endswith(f"  {told}  612B{error and '  '}{error}")


def test_what_fits_is_shown_whole():
    line = brief(trace(), "web", origin="haystack")
    assert "nginx.services.haystack/x  web  612B" in line
    assert brief(trace(), "web", len(line), origin="haystack") == line


@pytest.mark.parametrize(
    ("width", "host", "target", "shown"),
    [
        (80, "newuser-web.nginx.services.haystack", "/a.css", "newuser-web.ng…/a.css  newuser-web-00002  153B"),
        (87, "newuser-web.nginx.services.haystack", "/a.css", "newuser-web.nginx/a.css  newuser-web-00002  153B"),
        (87, "newuser-web.nginx.services.haystack:8080", "/", "newuser-web.nginx:8080/  newuser-web-00002  153B"),
        (80, "newuser-web.nginx.services.haystack", "/report?month=11", "newu…/report?month=11  newuser-web-00002  153B"),
        (80, "newuser-web.nginx.services.haystack", "/report/2026?month=11", "newu…/report/…onth=11  newuser-web-00002  153B"),
        (80, "shop.example.com", "/a.css", "shop.example.c…/a.css  newuser-web-00002  153B"),
        (80, "newuser-web.nginx.services.haystack", "*", "newuser-web.nginx*  newuser-web-00002  153B"),
    ],
)
def test_the_host_is_shortened_before_the_path(width, host, target, shown):
    line = brief(trace(host=host, target=target, sent=153), "newuser-web-00002", width, origin="haystack")
    assert line[34:] == shown


def test_an_error_is_not_pushed_out_of_the_terminal():
    failed = trace(host="newuser.py.services.haystack", target="/slow", status=504, sent=98, error="http_response_timeout")
    assert brief(failed, "newuser-001", 100, origin="haystack")[34:] == "newuser.py/slow  newuser-001  98B  http_response_timeout"
    assert brief(failed, "newuser-001", 80, origin="haystack")[34:] == "newuse…/slow  newuser-001  98B  http_response…"


def test_a_colour_is_that_of_the_statuss_class_and_ends_before_the_url():
    found = {
        status: re.findall(r"\x1b\[\d+m", brief(trace(status=status), "web", colour=True)) for status in (200, 204, 301, 404, 500, 503, 0)
    }
    assert found[200] == found[204] != found[404]
    assert found[500] == found[503]
    assert len({tuple(codes) for codes in found.values()}) == 5
    assert all(codes[-1] == "\x1b[0m" and len(codes) == 2 for codes in found.values())
    assert "\x1b[0mnginx.services" in brief(trace(), "web", colour=True)


@pytest.mark.parametrize(
    ("milliseconds", "text"), [(-1, "-"), (0, "0.00ms"), (9.99, "9.99ms"), (23.4, "23ms"), (999.4, "999ms"), (61_234, "61.23s")]
)
def test_a_duration_has_three_digits_or_so(milliseconds, text):
    assert duration(milliseconds) == text


@pytest.mark.parametrize(("octets", "text"), [(0, "0B"), (612, "612B"), (1536, "1.5K"), (20 << 20, "20M"), (3 << 50, "3072T")])
def test_a_size_has_a_unit(octets, text):
    assert size(octets) == text
