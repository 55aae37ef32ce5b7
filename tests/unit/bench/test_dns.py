import dns.zone
import pytest

from bench.dns import dnsperf, report
from bench.dns.beside import Share, costs
from bench.dns.names import Forwarded, Zone, questions
from bench.dns.scenarios import SCENARIOS
from haystack.discovery import static
from haystack.dns.zone import Zone as OwnZone
from tests.unit.dns.conftest import picture

TOLD = """
  Queries sent:         136098
  Queries completed:    136090 (99.99%)
  Queries lost:         8 (0.01%)

  Response codes:       NOERROR 123470 (90.72%), NXDOMAIN 20 (0.01%), SERVFAIL 12600 (9.28%)
  Queries per second:   45221.847823

  Average Latency (s):  0.001894 (min 0.000021, max 0.166468)
"""


def test_the_same_names_everywhere():
    zone = Zone(9)
    listed = static.read(zone.static().encode(), "file:///bench")
    own = OwnZone.of(picture(listed.containers), 5)
    loaded = dns.zone.from_text(zone.zone_file(), "haystack.", relativize=False)
    for record in zone.records():
        assert loaded.find_rdataset(f"{record.name}.", record.kind)[0].to_text() == record.data
        if record.kind != "SRV":
            host = next(iter(own.nodes[dns.name.from_text(record.name).to_wire()].hosts))
            assert record.data in (host.v4, host.v6)
    assert {r.kind for r in Zone(3).records()} == {"A", "AAAA", "SRV"}


def test_dnsmasq_has_as_many():
    config, hosts = Zone(300).dnsmasq()
    assert (config.count("srv-host="), hosts.count("\n")) == (100, 300)


def test_questions_are_lines_for_dnsperf():
    assert questions(Forwarded(2).records()) == "h0.bench.example A\nh1.bench.example AAAA\n"


def test_a_report_of_dnsperf():
    told = dnsperf.parse(TOLD)
    assert (told.completed, told.lost, told.bad) == (136090, 8, 12600)
    assert (told.rate, told.slowest_ms) == pytest.approx((45221.8, 166.468), rel=1e-5)
    with pytest.raises(ValueError, match="not a report"):
        dnsperf.parse("Warning: something else")


def test_what_a_request_and_a_query_cost_follows_from_two_runs():
    assert costs(Share(20 * 1000 + 5 * 100, 1000, 100), Share(20 * 800 + 5 * 900, 800, 900)) == pytest.approx((20, 5))


def test_the_tables():
    keys = (
        "user_us",
        "system_us",
        "cpu_us",
        "control_us",
        "rate",
        "mean_ms",
        "slowest_ms",
        "server_busy",
        "load_busy",
        "others_busy",
        "lost",
    )
    rows = [{"scenario": "zone3", "round": 0, "peer": name} | dict.fromkeys(keys, value) for name, value in (("Knot", 2), ("Haystack", 1))]
    text = report.table(SCENARIOS, rows, 2)
    assert "| **0.50** (0.50 to 0.50) | at most 1.2, goal 0.9 | reached, and the goal |" in text
    assert "| **1** (1 to 1) | at most 0 | **missed** |" in text
    single = {"work": "w", "value": 2.0, "unit": "ms", "limit": 10, "goal": 3, "more": ""}
    assert "| w | 2.00 ms | at most 10 ms, goal 3 | reached |" in report.singles([single])
