"""The access log of a real process: a line an exchange, none lost at its end; and its errors by the same words as in /metrics."""

import json
import re
import subprocess
import tempfile
import time
from datetime import datetime

import pytest

from tests.fakes.client import Client
from tests.fakes.origin import Origin, respond, respond_and_close
from tests.fakes.worker import Haystack, Member, host

MARK = "/end-of-test"


@pytest.fixture(params=["json", "common", "combined"])
def form(request):
    return request.param


def logged(fakes, form, talk, **settings):
    """The lines of the access log when `talk(port)` is over and Haystack has stopped."""
    with tempfile.TemporaryFile() as out:
        origin = Origin(fakes, respond()).start()
        with Haystack([Member("web", origin.port)], out=out, HAYSTACK_ACCESS_LOG=form, **settings) as haystack:
            found = talk(haystack.port)
        origin.stop()
        out.seek(0)
        lines = out.read().decode().splitlines()
    kept = [line for line in lines if "/readyz" not in line and "/metrics" not in line]
    return found, [json.loads(line) for line in kept] if form == "json" else kept


def test_no_line_is_lost_at_the_end(fakes, form):
    def talk(port):
        with Client(port) as client:
            for n in range(500):
                assert client.get(host("web"), f"/{n}").status == 200

    _, lines = logged(fakes, form, talk, HAYSTACK_WORKERS="2")
    targets = [line["target"] for line in lines] if form == "json" else [line.split()[6] for line in lines]
    assert targets == [f"/{n}" for n in range(500)]


COMBINED = re.compile(
    r'(?P<host>\S+) \S+ \S+ \[(?P<time>[^]]+)] "(?P<request>[^"]*)" (?P<status>\d{3}) (?P<size>\d+|-)'
    r' "(?P<referrer>[^"]*)" "(?P<agent>[^"]*)"'
)
FIELDS = b'Referer: http://a.example/x?y="z"\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\n'


def test_combined_has_what_its_readers_take_apart(fakes):
    """The fields and the form of the time that goaccess, AWStats and others know by the name COMBINED."""

    def talk(port):
        with Client(port) as client:
            client.get(host("web"), "/x", FIELDS)
            client.get(host("web"), "/y", method="HEAD")

    _, lines = logged(fakes, "combined", talk)
    first, second = (COMBINED.fullmatch(line) for line in lines)
    assert first
    assert abs(datetime.strptime(first["time"], "%d/%b/%Y:%H:%M:%S %z").timestamp() - time.time()) < 60
    assert (first["host"], first["request"], first["status"]) == ("127.0.0.1", "GET /x HTTP/1.1", "200")
    assert int(first["size"]) > 0
    assert (first["referrer"], first["agent"]) == (r"http://a.example/x?y=\x22z\x22", "Mozilla/5.0 (X11; Linux x86_64)")
    assert second
    assert (second["size"], second["referrer"], second["agent"]) == ("-", "-", "-")


def read_by_goaccess(lines):
    """What goaccess makes of these lines, by the words that the docs give for it."""
    words = ["goaccess", "--log-format=COMBINED", "--no-global-config", "--output=json", "-"]
    done = subprocess.run(words, input="".join(f"{line}\n" for line in lines), capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_real_reader_takes_every_combined_line_and_finds_what_was_asked(fakes):
    def talk(port):
        for target, fields in (
            ("/x", FIELDS),
            ("/y", b'User-Agent: "q" \\ \xff\r\n'),
            ('/"quoted"', FIELDS),
            ("/bad", b"Referer: \x01\r\n"),
        ):
            with Client(port) as client:
                client.get(host("web"), target, fields)
        with Client(port) as client:
            client.get(host("web"), "/z", method="HEAD")
            client.get("nobody.example", "/nobody")
        with Client(port) as client:
            client.send(b"nonsense\r\n\r\n").response()

    _, lines = logged(fakes, "combined", talk)
    told = read_by_goaccess(lines)
    general = told["general"]
    assert (general["total_requests"], general["failed_requests"]) == (len(lines), 0)
    assert {"/x", "/y", "/z"} <= {row["data"] for row in told["requests"]["data"]}
    assert [row["data"] for row in told["hosts"]["data"]] == ["127.0.0.1"]


def test_json_has_the_time_as_everybody_reads_it_and_who_asked(fakes):
    def talk(port):
        with Client(port) as client:
            client.get(host("web"), "/x", FIELDS)

    _, (line,) = logged(fakes, "json", talk)
    assert abs(datetime.fromisoformat(line["time"]).timestamp() - time.time()) < 60
    assert (line["referrer"], line["user_agent"]) == ('http://a.example/x?y="z"', "Mozilla/5.0 (X11; Linux x86_64)")
    assert len(line["request_id"]) == 32


def test_a_line_has_the_fields_that_are_set_in_their_order(fakes):
    def talk(port):
        with Client(port) as client:
            client.get(host("web"), "/x", b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\n")
            client.get(host("web"), "/y", b"traceparent: 00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-0\r\n")

    _, lines = logged(fakes, "json", talk, HAYSTACK_ACCESS_LOG_FIELDS="status,target trace_id")
    assert [list(line.items()) for line in lines] == [
        [("status", 200), ("target", "/x"), ("trace_id", "0af7651916cd43dd8448eb211c80319c")],
        [("status", 200), ("target", "/y"), ("trace_id", "")],
    ]


def test_ecs_is_what_elasticsearch_takes(fakes):
    def talk(port):
        with Client(port) as client:
            client.get(host("web"), "/x?y", FIELDS)

    _, lines = logged(fakes, "ecs", talk)
    (line,) = (json.loads(each) for each in lines)
    assert abs(datetime.fromisoformat(line["@timestamp"]).timestamp() - time.time()) < 60
    assert (line["http.request.method"], line["url.original"], line["url.domain"]) == ("GET", "/x?y", host("web"))
    assert (line["http.response.status_code"], line["client.ip"], line["service.name"]) == (200, "127.0.0.1", host("web"))
    assert line["event.duration"] > 0
    assert "error.code" not in line


def test_json_tells_of_the_whole_exchange(fakes):
    def talk(port):
        with Client(port) as client:
            for _ in range(2):
                client.get(host("web"), "/x?y=1", b"Content-Length: 4\r\nX-Request-Id: mine\r\n\r\nbody", "POST")

    _, lines = logged(fakes, "json", talk)
    one = lines[1]
    assert (one["method"], one["target"], one["host"], one["service"]) == ("POST", "/x?y=1", host("web"), host("web"))
    assert (one["status"], one["received"], one["client"], one["reused"]) == (200, 4, "127.0.0.1", True)
    assert one["candidates"] == [one["endpoint"]]
    assert 0 <= one["route_ms"] <= one["total_ms"]
    assert 0 <= one["first_byte_ms"] <= one["total_ms"]


def test_bytes_sent_are_those_of_the_body_also_of_haystacks_own_answers(fakes):
    def talk(port):
        with Client(port) as client:
            found = [client.get(name, "/", b"X-Request-Id: one\r\n") for name in (host("web"), host("nowhere"))]
            client.get(host("nowhere"), "/", method="HEAD")
            return [len(each.body) for each in found]

    sizes, lines = logged(fakes, "json", talk)
    assert [line["status"] for line in lines] == [200, 404, 404]
    assert [line["sent"] for line in lines] == [*sizes, 0]


@pytest.mark.parametrize("target", ['/"%0a', "/\\", "/\x85\x9b", "/\xe9\xad", '/"+200+1+"'])
def test_a_target_can_not_forge_a_line(fakes, form, target):
    def talk(port):
        with Client(port) as client:
            client.send(f"GET {target} HTTP/1.1\r\nHost: {host('web')}\r\n\r\n".encode("latin-1"))
            client.response()
        with Client(port) as client:
            client.get(host("web"), MARK)

    _, lines = logged(fakes, form, talk)
    assert len(lines) == 2
    if form != "json":
        assert all(line.count('"') == {"common": 2, "combined": 6}[form] and line.isprintable() for line in lines)


def test_errors_have_the_same_word_in_the_log_and_in_the_metrics(fakes):
    def talk(port):
        with Client(port) as client:
            client.get("nobody.example", "/")
        with Client(port) as client:
            client.send(b"BAD\r\n\r\n")
            client.response()
        with Client(port) as client:
            client.send(b"CONNECT web:80 HTTP/1.1\r\nHost: web\r\n\r\n")
            client.response()
        with Client(port) as client:
            return client.get("localhost", "/metrics").body.decode()

    metrics, lines = logged(fakes, "json", talk)
    assert [(line["error"], line["status"]) for line in lines] == [
        ("destination_not_found", 404), ("http_request_error", 400), ("http_request_error", 501),
    ]  # fmt: skip
    assert [line["method"] for line in lines] == ["GET", "", "CONNECT"]
    for line in lines:
        assert f'haystack_errors_total{{error="{line["error"]}",status="{line["status"]}"}} 1.0' in metrics


def test_the_log_says_in_words_what_was_refused(fakes):
    """What Proxy-Status tells the client, the operator reads here; the next request on a connection has nothing of it."""

    def talk(port):
        for data in (b"GET / HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n", b"GET / HTTP/1.1\r\nHost: a%zz\r\n\r\n"):
            with Client(port) as client:
                client.send(data).response()
        with Client(port) as client:
            assert [client.get(name).status for name in ("nobody.example", host("web"))] == [404, 200]

    _, lines = logged(fakes, "json", talk)
    assert [line["detail"] for line in lines] == [
        "the request's head is refused: white space between a field's name and its colon",
        "Host is not a host: % is not followed by two hexadecimal digits",
        "no service has this host name and path",
        "",
    ]


def test_a_request_that_succeeded_at_last_tells_no_error(fakes):
    """RFC 9209, section 2.3: the word is that of the answer; who was tried stands in `candidates`."""
    dying, good = (Origin(fakes, script).start() for script in (respond_and_close(), respond()))
    with tempfile.TemporaryFile() as out:
        members = [Member("web", origin.port) for origin in (dying, good)]
        with Haystack(members, out=out, HAYSTACK_ACCESS_LOG="json") as haystack, Client(haystack.port) as client:
            assert [client.get(host("web"), MARK).status for _ in range(4)] == [200] * 4
            metrics = client.get("localhost", "/metrics").body.decode()
        out.seek(0)
        lines = [line for line in map(json.loads, out) if line["target"] == MARK]
    for origin in (dying, good):
        origin.stop()
    assert dying.requests, "nothing had to be tried again"
    assert [(line["status"], line["error"], line["endpoint"]) for line in lines] == [(200, "", f"127.0.0.1:{good.port}")] * 4
    assert max(len(line["candidates"]) for line in lines) == 2
    assert "connection_terminated" not in metrics


def test_the_answer_to_max_forwards_0_is_no_error(fakes):
    """RFC 9110, section 7.6.2: OPTIONS has been answered as it should be."""

    def talk(port):
        with Client(port) as client:
            return client.get(host("web"), extra=b"Max-Forwards: 0\r\n", method="OPTIONS").status

    status, lines = logged(fakes, "json", talk)
    assert (status, [(line["status"], line["error"], line["endpoint"]) for line in lines]) == (200, [(200, "", "")])
