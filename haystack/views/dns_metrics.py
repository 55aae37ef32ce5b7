"""The figures of DNS for Prometheus: what the workers have counted, and how forwarding stands.

Never counts anything itself, as metrics.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from haystack._fast.dns import times
from haystack.dns import counts as dns_counts
from haystack.dns import words
from haystack.dns.forward import nameservers
from haystack.dns.forward.figures import Figures
from haystack.dns.messages import DnsCounts, Spans


def families(counts: DnsCounts, forwarding: Figures | None) -> Iterator[Metric]:
    """Every family, in a stable order. counts: of all workers; forwarding: None before it has started."""
    yield _queries(counts)
    yield _histogram(
        "haystack_dns_answer_seconds",
        "Time to answer a query from the zone or from a worker's cache.",
        counts.at_once,
        times.bounds(waited=False),
    )
    yield _histogram(
        "haystack_dns_forwarded_answer_seconds",
        "Time to answer a query that had to be forwarded, until its answer.",
        counts.waited,
        times.bounds(waited=True),
    )
    yield GaugeMetricFamily("haystack_dns_waiting", "Queries that wait for the answer of a nameserver.", value=counts.waiting)
    limited = CounterMetricFamily("haystack_dns_limited", "Answers that response rate limiting has cut or held back.", labels=["how"])
    limited.add_metric(["truncated"], counts.truncated)
    limited.add_metric(["dropped"], counts.dropped)
    yield limited
    yield CounterMetricFamily("haystack_dns_lost", "Answers that could not be sent, because the socket was full.", value=counts.lost)
    if forwarding is not None:
        yield from _caches(counts, forwarding)
        yield from _nameservers(forwarding)


def _queries(counts: DnsCounts) -> Metric:
    family = CounterMetricFamily(
        "haystack_dns_queries",
        "Answered queries by type, response code, and where the answer came from.",
        labels=["type", "rcode", "source"],
    )
    for kind, rcode, source, count in counts.answers:
        family.add_metric([kind, words.rcode(rcode), source], count)
    return family


def _histogram(name: str, text: str, spans: Spans, bounds: Sequence[float]) -> Metric:
    counts, seconds = spans
    sums = accumulate(counts or [0] * (len(bounds) + 1))
    buckets = list(zip((*map(str, bounds), "+Inf"), sums, strict=True))
    family = HistogramMetricFamily(name, text)
    family.add_metric([], buckets, seconds)
    return family


def _caches(counts: DnsCounts, forwarding: Figures) -> Iterator[Metric]:
    """Of the workers' caches, and of the control process's, which they ask for what they do not have."""
    kept = forwarding.cache
    hits, misses = (dns_counts.of_source(counts, source) for source in ("cache", "upstream"))
    for name, text, workers, control in (
        ("entries", "Answers in the caches.", counts.entries, kept.entries),
        ("bytes", "Memory of the caches.", counts.bytes, kept.bytes),
    ):
        yield _by_cache(GaugeMetricFamily(f"haystack_dns_cache_{name}", text, labels=["cache"]), workers, control)
    for name, text, workers, control in (
        ("hits", "Queries answered from the cache.", hits, kept.hits),
        ("misses", "Queries that the cache had no valid answer for.", misses, kept.misses),
    ):
        yield _by_cache(CounterMetricFamily(f"haystack_dns_cache_{name}", text, labels=["cache"]), workers, control)
    yield CounterMetricFamily("haystack_dns_stale", "Expired answers given because no nameserver answered (RFC 8767).", value=kept.stale)
    yield CounterMetricFamily("haystack_dns_prefetches", "Answers fetched again before they expired.", value=kept.prefetches)


def _by_cache(family: GaugeMetricFamily | CounterMetricFamily, workers: int, control: int) -> Metric:
    family.add_metric(["workers"], workers)
    family.add_metric(["control"], control)
    return family


def _nameservers(forwarding: Figures) -> Iterator[Metric]:
    questions = CounterMetricFamily("haystack_nameserver_questions", "Questions to a nameserver.", labels=["server"])
    failures = CounterMetricFamily("haystack_nameserver_failures", "Failed questions to a nameserver, by kind.", labels=["server", "kind"])
    rtt = GaugeMetricFamily("haystack_nameserver_rtt_seconds", "Smoothed round-trip time of a nameserver.", labels=["server"])
    skipped = GaugeMetricFamily("haystack_nameserver_skipped", "1 while a nameserver is skipped because it failed.", labels=["server"])
    for each in forwarding.nameservers:
        server = nameservers.text(each.server)
        questions.add_metric([server], each.questions)
        for kind, count in each.failures.items():
            failures.add_metric([server, kind], count)
        if each.rtt:
            rtt.add_metric([server], each.rtt)
        skipped.add_metric([server], int(each.skipped is not None))
    yield from (questions, failures, rtt, skipped)
