"""DNS in /metrics: names and labels that dashboards are built on."""

import pytest
from prometheus_client.core import CollectorRegistry
from prometheus_client.exposition import generate_latest

from haystack._fast.dns import times
from haystack.dns.forward.figures import CacheFigures, Figures, NameserverFigures
from haystack.dns.forward.nameservers import Nameserver
from haystack.dns.messages import DnsCounts
from haystack.views import dns_metrics

BUCKETS = len(times.bounds(waited=False)) + 1
COUNTS = DnsCounts(
    (("A", 0, "zone", 3), ("AAAA", 3, "cache", 2), ("A", 2, "upstream", 1), ("none", 1, "none", 4)),
    ((1, 0, 2, *(0,) * (BUCKETS - 4), 5), 0.5), ((0,) * (BUCKETS - 1) + (1,), 20.0), 7, 10, 4000, 1, 2, 3,
)  # fmt: skip
SERVERS = (
    NameserverFigures(Nameserver("10.0.0.2"), 9, {"timeout": 2}, 2, 0.012, None),
    NameserverFigures(Nameserver("fd00::1", 5353), 1, {}, 0, 0.0, 3.5),
)
FIGURES = Figures(SERVERS, CacheFigures(20, 9000, 30, 40, 5, 6), 1, 1, 0)


def page(*told):
    class Source:
        def collect(self):
            return dns_metrics.families(*told)

    registry = CollectorRegistry(auto_describe=False)
    registry.register(Source())
    return generate_latest(registry).decode().splitlines()


@pytest.mark.parametrize(
    "line",
    [
        'haystack_dns_queries_total{rcode="NOERROR",source="zone",type="A"} 3.0',
        'haystack_dns_queries_total{rcode="NXDOMAIN",source="cache",type="AAAA"} 2.0',
        'haystack_dns_queries_total{rcode="FORMERR",source="none",type="none"} 4.0',
        'haystack_dns_answer_seconds_bucket{le="1e-06"} 1.0',
        'haystack_dns_answer_seconds_bucket{le="4e-06"} 3.0',
        'haystack_dns_answer_seconds_bucket{le="+Inf"} 8.0',
        "haystack_dns_answer_seconds_count 8.0",
        "haystack_dns_answer_seconds_sum 0.5",
        'haystack_dns_forwarded_answer_seconds_bucket{le="16.777216"} 0.0',
        "haystack_dns_forwarded_answer_seconds_sum 20.0",
        "haystack_dns_waiting 7.0",
        'haystack_dns_limited_total{how="truncated"} 1.0',
        'haystack_dns_limited_total{how="dropped"} 2.0',
        "haystack_dns_lost_total 3.0",
        'haystack_dns_cache_entries{cache="workers"} 10.0',
        'haystack_dns_cache_bytes{cache="control"} 9000.0',
        'haystack_dns_cache_hits_total{cache="workers"} 2.0',
        'haystack_dns_cache_misses_total{cache="workers"} 1.0',
        'haystack_dns_cache_misses_total{cache="control"} 40.0',
        "haystack_dns_stale_total 5.0",
        "haystack_dns_prefetches_total 6.0",
        'haystack_nameserver_questions_total{server="10.0.0.2:53"} 9.0',
        'haystack_nameserver_failures_total{kind="timeout",server="10.0.0.2:53"} 2.0',
        'haystack_nameserver_rtt_seconds{server="10.0.0.2:53"} 0.012',
        'haystack_nameserver_skipped{server="10.0.0.2:53"} 0.0',
        'haystack_nameserver_skipped{server="[fd00::1]:5353"} 1.0',
    ],
)
def test_a_figure_has_its_line(line):
    assert line in page(COUNTS, FIGURES)


def test_a_round_trip_that_nobody_has_measured_is_no_figure():
    assert not [line for line in page(COUNTS, FIGURES) if line.startswith("haystack_nameserver_rtt_seconds{") and "fd00" in line]


def test_before_anything_is_asked_all_is_zero():
    lines = page(DnsCounts(), None)
    assert 'haystack_dns_answer_seconds_bucket{le="+Inf"} 0.0' in lines
    assert not [line for line in lines if line.startswith("haystack_nameserver")]
