"""Samples of /metrics that dashboards and alerts are built on, in both formats."""

import pytest
from msgspec.structs import replace
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_text

from haystack.loop.turns import at_once
from haystack.model.durations import slot_of
from haystack.model.services import Cause, Service
from haystack.proxy.traffic import CLASSES, METHODS, Now
from haystack.views.exposition import FORMATS, OPENMETRICS, TEXT
from haystack.views.metrics import Exposition
from tests.fakes.state import ENDPOINT, ID, NAME, picture, state
from tests.oracles.prometheus import PROMTOOL, check_metrics

A = ENDPOINT.id
TWO, AT_BOUND, LONG = slot_of(0.002), slot_of(0.005), slot_of(200.0)
OK = ((1, 0, 3, 0, 0, 2), 10, 200, 1, 6_000_000, (TWO, 4, AT_BOUND, 1, LONG, 1))
GET_2XX = METHODS.index("GET") * len(CLASSES) + CLASSES.index("2xx")
ODD = 'odd"\\\n\udcff.services.haystack'


@pytest.fixture
def there():
    made = state()
    traffic = made.proxy.traffic
    traffic.put(NAME, A, OK, 0.0)
    traffic.put_service((NAME, None, (GET_2XX, 3), 2, 1, 1500, 0), 0.0)
    traffic.gauges.change(0, [(A, 3, 1)], [(NAME, None, (), 0, 0, 0, 4)])
    made.ejections[NAME, "silent"] = 1
    traffic.handshakes["client", "resumed"] += 3
    made.registry.publishing.heard(100.0)
    made.registry.publishing.published(made.registry.publishing.begins(), 100.04, 0.003)
    return made


def page(there, form=TEXT):
    return b"".join(at_once(Exposition(there).pieces(form))).decode()


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize(
    "line",
    [
        f'haystack_service_requests_total{{service="{NAME}",method="GET",code="2xx"}} 3',
        f'haystack_service_requests_total{{service="{NAME}",method="GET",code="5xx"}} 0',
        f'haystack_service_requests_total{{service="{NAME}",method="GET",code="none"}} 0',
        f'haystack_service_request_duration_seconds_bucket{{service="{NAME}",le="0.001"}} 0',
        f'haystack_service_request_duration_seconds_bucket{{service="{NAME}",le="0.0025"}} 4',
        f'haystack_service_request_duration_seconds_bucket{{service="{NAME}",le="0.005"}} 5',
        f'haystack_service_request_duration_seconds_bucket{{service="{NAME}",le="60.0"}} 5',
        f'haystack_service_request_duration_seconds_bucket{{service="{NAME}",le="+Inf"}} 6',
        f'haystack_service_request_duration_seconds_count{{service="{NAME}"}} 6',
        f'haystack_service_request_duration_seconds_sum{{service="{NAME}"}} 0.006',
        f'haystack_service_received_bytes_total{{service="{NAME}"}} 10',
        f'haystack_service_sent_bytes_total{{service="{NAME}"}} 200',
        f'haystack_service_retries_total{{service="{NAME}"}} 2',
        f'haystack_service_queue_wait_seconds_sum{{service="{NAME}"}} 1.5',
        f'haystack_service_queue_wait_seconds_count{{service="{NAME}"}} 1',
        f'haystack_service_queue_length{{service="{NAME}"}} 4',
        'haystack_tls_handshakes_total{peer="client",result="resumed"} 3.0',
        'haystack_tls_handshakes_total{peer="endpoint",result="failed"} 0.0',
        f'haystack_endpoint_requests_total{{endpoint="{A}",container="{ID[:12]}",code="5xx"}} 2',
        f'haystack_endpoint_requests_total{{endpoint="{A}",container="{ID[:12]}",code="none"}} 1',
        f'haystack_endpoint_retries_total{{endpoint="{A}",container="{ID[:12]}"}} 1',
        f'haystack_endpoint_request_duration_seconds_count{{endpoint="{A}",container="{ID[:12]}"}} 6',
        f'haystack_endpoint_requests_in_flight{{endpoint="{A}",container="{ID[:12]}"}} 3',
        f'haystack_endpoint_pooled_connections{{endpoint="{A}",container="{ID[:12]}"}} 1',
        f'haystack_container_info{{container="{ID[:12]}",name="web",image="nginx"}} 1',
        f'haystack_ejections_total{{cause="silent",service="{NAME}"}} 1.0',
        'haystack_discovery_lag_seconds_bucket{le="0.05"} 1.0',
        'haystack_snapshot_build_seconds_bucket{le="0.0025"} 0.0',
        'haystack_snapshot_build_seconds_bucket{le="0.005"} 1.0',
        'haystack_worker_restarts_total{worker="0"} 0.0',
        'haystack_client_connections{worker="0"} 2.0',
    ],
)
def test_a_figure_has_its_line(there, form, line):
    assert line in page(there, form).splitlines()


def test_no_figure_is_told_of_a_method_that_nobody_used(there):
    assert not [line for line in page(there).splitlines() if line.startswith("haystack_service_requests_total{") and "GET" not in line]


def test_both_formats_say_the_same(there):
    plain = {s for f in read_text(page(there)) for s in map(str, f.samples) if "process_" not in s}
    other = {s for f in read_openmetrics(page(there, OPENMETRICS)) for s in map(str, f.samples) if "process_" not in s}
    assert plain == other
    assert page(there, OPENMETRICS).endswith("\n# EOF\n")
    assert "# EOF" not in page(there)


def test_each_family_is_told_once_and_in_one_piece(there):
    named = [line.split()[2] for line in page(there).splitlines() if line.startswith("# TYPE")]
    assert len(named) == len(set(named))


def test_who_is_not_ready_is_counted_by_cause():
    seen = picture()
    out = replace(ENDPOINT, id="b", ready=False, cause=Cause.EJECTED)
    seen.services = {NAME: Service(name=NAME, endpoints=(ENDPOINT, out))}
    lines = page(state(snapshot=seen)).splitlines()
    assert f'haystack_endpoints{{ready="true",service="{NAME}"}} 1.0' in lines
    assert f'haystack_endpoints_unready{{service="{NAME}",cause="ejected"}} 1' in lines
    assert not [line for line in lines if line.startswith("haystack_endpoints_panicked{")]


def test_those_in_by_panic_are_ready_and_told_apart():
    seen = picture()
    panicked = (replace(ENDPOINT, id=str(n), cause=cause) for n, cause in enumerate((Cause.UNWELL, Cause.UNWELL, Cause.STARTING)))
    seen.services = {NAME: Service(name=NAME, endpoints=(ENDPOINT, *panicked))}
    lines = page(state(snapshot=seen)).splitlines()
    assert f'haystack_endpoints{{ready="true",service="{NAME}"}} 4.0' in lines
    assert [line for line in lines if line.startswith("haystack_endpoints_panicked{")] == [
        f'haystack_endpoints_panicked{{service="{NAME}",cause="starting"}} 1',
        f'haystack_endpoints_panicked{{service="{NAME}",cause="unwell"}} 2',
    ]


def test_where_some_are_on_a_listener_others_do_not_count():
    """A container's second port has no listener: panic among such as it alone says nothing of requests."""
    seen = picture()
    other = replace(ENDPOINT, id="b", listener=None, cause=Cause.UNWELL)
    ill = replace(ENDPOINT, id="c", ready=False, cause=Cause.UNWELL)
    seen.services = {NAME: Service(name=NAME, endpoints=(ENDPOINT, ill, other))}
    lines = page(state(snapshot=seen)).splitlines()
    told = {f'haystack_endpoints{{ready="{ready}",service="{NAME}"}} 1.0' for ready in ("true", "false")}
    assert told == {line for line in lines if line.startswith("haystack_endpoints{")}
    assert not [line for line in lines if line.startswith("haystack_endpoints_panicked{")]
    seen.services = {NAME: Service(name=NAME, endpoints=(other,))}
    assert f'haystack_endpoints{{ready="true",service="{NAME}"}} 1.0' in page(state(snapshot=seen)).splitlines()


def test_an_endpoint_whose_first_exchange_goes_on_is_there(there):
    there.proxy.traffic.gauges.loads["new:80/tcp"] = Now(1, 0)
    assert 'haystack_endpoint_requests_in_flight{endpoint="new:80/tcp",container="new"} 1' in page(there).splitlines()


def test_a_page_is_of_the_newest_figures(there):
    exposition = Exposition(there)
    at_once(exposition.pieces())
    there.proxy.traffic.put(NAME, A, OK, 0.0)
    there.proxy.traffic.gauges.change(0, [(A, -3, 1)], [(NAME, None, (), 0, 0, 0, -4)])
    lines = b"".join(at_once(exposition.pieces())).decode().splitlines()
    assert f'haystack_service_sent_bytes_total{{service="{NAME}"}} 400' in lines
    assert f'haystack_service_queue_length{{service="{NAME}"}} 0' in lines
    assert f'haystack_endpoint_requests_in_flight{{endpoint="{A}",container="{ID[:12]}"}} 0' in lines


@pytest.mark.parametrize("form", FORMATS)
def test_no_name_breaks_the_format(there, form):
    there.proxy.traffic.put(ODD, A, OK, 0.0)
    text = page(there, form)
    families = (read_openmetrics if form == OPENMETRICS else read_text)(text)
    assert any("odd" in sample.labels.get("service", "") for family in families for sample in family.samples)


def test_no_name_reaches_a_terminal_as_it_is():
    seen = picture(image="x\x1b[2J\u202e")
    page_of_it = page(state(snapshot=seen))
    assert "\x1b" not in page_of_it
    assert 'image="x\\\\x1b[2J\\\\u202e"' in page_of_it


@pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian: prometheus)")
def test_promtool_finds_nothing(there):
    assert check_metrics(page(there)) == ""
