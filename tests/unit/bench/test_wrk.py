import pytest

from bench.macro import wrk
from bench.macro.wrk import Load

REPORT = """Running 2s test @ http://127.0.0.1:1/
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     1.61ms  631.41us  11.96ms   85.73%
    Req/Sec    40.53k     3.21k   45.00k    75.00%
  Latency Distribution
     50%  983.00us
     75%    1.90ms
     90%    2.22ms
     99%    3.50ms
  80675 requests in 2.00s, 15.24MB read
{errors}Requests/sec:  40313.12
Transfer/sec:      7.61MB
"""


def test_a_report_is_read_with_its_units():
    report = wrk.parse(REPORT.format(errors=""), 12.0)
    assert report == wrk.Report(requests=80675, rate=40313.12, p50_ms=0.983, p99_ms=3.5, errors=0, cpu_us=12.0)


def test_bad_answers_and_socket_errors_add_up():
    errors = "  Socket errors: connect 1, read 2, write 3, timeout 4\n  Non-2xx or 3xx responses: 10\n"
    assert wrk.parse(REPORT.format(errors=errors)).errors == 20


@pytest.mark.parametrize("text", ["", "unable to connect to 127.0.0.1:1 Connection refused"])
def test_what_is_no_report_is_refused(text):
    with pytest.raises(ValueError, match="not a report"):
        wrk.parse(text)


def test_a_report_without_percentiles_is_refused():
    with pytest.raises(ValueError, match="50th percentile"):
        wrk.parse("  1 requests in 2.00s, 1MB read\nRequests/sec:  1.0\n")


def test_headers_and_closing_reach_the_command_line():
    words = wrk.command(Load(headers=("A: b",), close=True, path="/64k"), 81, 3, {1})
    assert words[:3] == ["taskset", "-c", "1"]
    assert [words[i + 1] for i, word in enumerate(words) if word == "-H"] == ["Host: bench.services.haystack", "A: b", "Connection: close"]
    assert words[-1] == "http://127.0.0.1:81/64k"


def test_a_body_and_many_hosts_are_made_by_scripts():
    assert wrk.command(Load(method="PUT", body=9), 81, 3, {1})[-2:] == ["PUT", "9"]
    many = wrk.command(Load(host="b%d.x", hosts=7), 81, 3, {1})
    assert many[-2:] == ["7", "b%d.x"]
    assert "Host: b0.x" in many
