"""deploy/: alert rules and dashboard are of metrics that exist, and Prometheus and Grafana can read them."""

from __future__ import annotations

import json
import re
from itertools import combinations
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from haystack.loop.turns import at_once
from haystack.views.metrics import Exposition
from tests.fakes.metrics import all_figures
from tests.oracles.prometheus import PROMTOOL, check_rules, try_rules

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES, BOARD = DEPLOY / "prometheus" / "haystack.rules.yml", json.loads((DEPLOY / "grafana" / "haystack.json").read_text())
PANELS = [panel for panel in BOARD["panels"] if panel["type"] != "row"]
QUERIES = [target["expr"] for panel in PANELS for target in panel["targets"]]
NAME = re.compile(r"\b((?:haystack|process)_[a-z_]+)(?:\{([^}]*)})?")
SCRAPED = {"instance", "job"}  # labels that Prometheus adds
TYPES = {"timeseries", "stat", "table"}
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not installed (Debian: prometheus)")


@pytest.fixture(scope="module")
def samples() -> dict[str, set[str]]:
    """The names of all samples, and their labels."""
    found: dict[str, set[str]] = {}
    for family in text_string_to_metric_families(b"".join(at_once(Exposition(all_figures()).pieces())).decode()):
        for sample in family.samples:
            found.setdefault(sample.name, set()).update(sample.labels)
    return found


def used(text: str) -> dict[str, set[str]]:
    """The metrics that a text names, and the labels that it selects them by."""
    found: dict[str, set[str]] = {}
    for name, selectors in NAME.findall(text):
        found.setdefault(name, set()).update(re.findall(r"(\w+)\s*(?:=|!=|=~|!~)", re.sub(r'"[^"]*"', '""', selectors)))
    return found


@pytest.mark.parametrize("text", [RULES.read_text(), "\n".join(QUERIES)], ids=["rules", "dashboard"])
def test_each_metric_that_is_used_exists_and_has_the_labels_it_is_selected_by(samples, text):
    expressions = "\n".join(line for line in text.splitlines() if "summary:" not in line and "description:" not in line)
    told = used(expressions)
    assert len(told) > 8
    assert {name for name in told if name not in samples} == set()
    assert {name: labels - samples[name] - SCRAPED for name, labels in told.items() if labels - samples[name] - SCRAPED} == {}


def test_a_name_that_does_not_exist_would_be_found(samples):
    assert "haystack_nonsense_total" in used("rate(haystack_nonsense_total[5m])")
    assert "haystack_nonsense_total" not in samples
    assert used('sum(haystack_endpoints{ready="true",nope=~"x=y"})') == {"haystack_endpoints": {"ready", "nope"}}


@needs_promtool
def test_promtool_accepts_the_rules():
    status, text = check_rules(RULES)
    assert (status, "SUCCESS" in text) == (0, True), text


@needs_promtool
def test_promtool_reads_every_query_of_the_dashboard(tmp_path):
    filled = [query.replace("$__rate_interval", "5m").replace("$instance", ".*").replace("$service", ".*") for query in QUERIES]
    rules = [{"record": f"query:number{number}", "expr": query} for number, query in enumerate(filled)]
    file = tmp_path / "queries.yml"
    file.write_text(json.dumps({"groups": [{"name": "dashboard", "rules": rules}]}))  # JSON is YAML too
    status, text = check_rules(file)
    assert status == 0, text


SERIES = 'haystack_service_requests_total{instance="h",service="web",method="GET",code="%s"}'
DURATIONS = 'haystack_service_request_duration_seconds_bucket{instance="h",service="web",le="%s"}'
LAGS = 'haystack_discovery_lag_seconds_bucket{instance="h",le="%s"}'
FILES = 'process_%s_fds{instance="h",job="haystack",process="worker-0"}'
EXPIRES = 'haystack_certificate_not_after_seconds{instance="h",name="www.example.com",source="acme",key="k"}'
LONG = "x90"  # minutes
CASES = {
    "HaystackServiceErrors": [(SERIES % "2xx", "0+60"), (SERIES % "5xx", "0+20")],
    "HaystackServiceSlow": [
        (SERIES % "2xx", "0+60"),
        (DURATIONS % "5.0", "0+59"),
        (DURATIONS % "10.0", "0+60"),
        (DURATIONS % "+Inf", "0+60"),
    ],
    "HaystackServiceWithoutEndpoints": [('haystack_endpoints{instance="h",service="web",ready="true"}', "0")],
    "HaystackServicePanics": [('haystack_endpoints_panicked{instance="h",service="web",cause="broken"}', "1")],
    "HaystackRequestsWait": [('haystack_service_queue_length{instance="h",service="web"}', "3")],
    "HaystackEjects": [('haystack_ejections_total{instance="h",service="web",cause="faults"}', "0+1")],
    "HaystackEngineAway": [('haystack_source_connected{instance="h",source="box"}', "0")],
    "HaystackPeerAway": [('haystack_peer_up{instance="h",peer="10.0.0.2"}', "0")],
    "HaystackDown": [('up{instance="h",job="haystack"}', "0")],
    "HaystackWorkerDies": [('haystack_worker_restarts_total{instance="h",worker="0"}', "0+1")],
    "HaystackDescriptorsLeak": [(FILES % "open", "0+10"), (FILES % "max", "4096")],
    "HaystackCertificateExpires": [(EXPIRES, "172800")],  # two days after the time at which the tests begin, which is 0
    "HaystackDiscoveryLate": [(LAGS % "1.0", "0+1"), (LAGS % "5.0", "0+6"), (LAGS % "+Inf", "0+6")],
    "HaystackNameserverAway": [('haystack_nameserver_skipped{instance="h",server="10.0.0.2:53"}', "1")],
}
# the same with figures that a Haystack has which is well
WELL = [
    (SERIES % "2xx", "0+6000"),
    (SERIES % "5xx", "0+1"),
    *((DURATIONS % bound, values) for bound, values in (("5.0", "0+6000"), ("10.0", "0+6001"), ("+Inf", "0+6001"))),
    ('haystack_endpoints{instance="h",service="web",ready="true"}', "2"),
    ('haystack_endpoints_panicked{instance="h",service="web",cause="starting"}', "1"),
    ('haystack_service_queue_length{instance="h",service="web"}', "0"),
    ('haystack_ejections_total{instance="h",service="web",cause="faults"}', "1"),
    ('haystack_source_connected{instance="h",source="box"}', "1"),
    ('haystack_peer_up{instance="h",peer="10.0.0.2"}', "1"),
    ('up{instance="h",job="haystack"}', "1"),
    ('haystack_worker_restarts_total{instance="h",worker="0"}', "1"),
    (FILES % "open", "900"),
    (FILES % "max", "1048576"),
    (EXPIRES, "1209600"),
    *((LAGS % bound, values) for bound, values in (("1.0", "0+60"), ("5.0", "0+61"), ("+Inf", "0+61"))),
    ('haystack_nameserver_skipped{instance="h",server="10.0.0.2:53"}', "0"),
]


def lasting(series):
    return [(name, (values if "+" in values else f"{values}+0") + LONG) for name, values in series]


def test_each_alert_is_tried():
    assert set(CASES) == set(re.findall(r"- alert: (\w+)", RULES.read_text()))


@needs_promtool
@pytest.mark.parametrize("alert", CASES)
def test_an_alert_fires_and_no_other_one(tmp_path, alert):
    assert try_rules(tmp_path, RULES, lasting(CASES[alert])) == {alert}


@needs_promtool
def test_no_alert_fires_while_all_is_well(tmp_path):
    assert try_rules(tmp_path, RULES, lasting(WELL)) == set()


def test_a_share_of_failures_is_0_and_not_unknown_where_none_has_failed():
    """A sum over no series is none at all in Prometheus, and Grafana says `No data` of it."""
    assert [query for query in QUERIES if "code=~" in query and " / " in query and "or vector(0)) /" not in query] == []


@pytest.mark.parametrize("file", ["compose.yaml", "stack.yml"])
def test_the_state_outlives_the_container(file):
    """In a volume that has a name: a nameless one is another one for each container, and with it host key, CA and certificates."""
    text = (DEPLOY / file).read_text()
    (name,) = re.findall(r"^      - (?:\{type: volume, source: )?([a-z]+)(?:, target: |:)/var/lib/haystack\b", text, re.MULTILINE)
    assert f"\nvolumes:\n  {name}: {{}}\n" in text


def test_the_stack_says_on_which_nodes_it_runs():
    text = (DEPLOY / "stack.yml").read_text()
    assert "constraints: [node.role == manager]" in text
    assert text.startswith("# Haystack on every manager of a Swarm:")


def test_the_dashboard_has_the_shape_that_grafana_imports():
    assert {type(BOARD[key]) for key in ("title", "uid")} == {str}
    assert BOARD["schemaVersion"] >= 36
    assert BOARD["id"] is None, "an imported dashboard has no id yet"
    variables = {variable["name"]: variable["type"] for variable in BOARD["templating"]["list"]}
    assert variables == {"datasource": "datasource", "instance": "query", "service": "query"}
    identities = [panel["id"] for panel in BOARD["panels"]]
    assert len(identities) == len(set(identities))
    for panel in PANELS:
        assert panel["type"] in TYPES
        assert panel["datasource"] == {"type": "prometheus", "uid": "${datasource}"}
        assert panel["title"]
        assert panel["targets"]
        references = [target["refId"] for target in panel["targets"]]
        assert len(references) == len(set(references))
        assert "unit" in panel["fieldConfig"]["defaults"]


# what Grafana's own exports have, and its models do not: no id yet, and what its editor shows of a variable's query
UNMODELLED = {"id", "definition"}


def lost(given, kept, where=""):
    """The keys of a value, and the values, that another one has not kept."""
    if isinstance(given, dict) and isinstance(kept, dict):
        missing = {f"{where}.{key}" for key in given.keys() - kept.keys() - UNMODELLED}
        return missing.union(*(lost(given[key], kept[key], f"{where}.{key}") for key in given.keys() & kept.keys()))
    if isinstance(given, list) and isinstance(kept, list) and len(given) == len(kept):
        return set().union(*(lost(*both, f"{where}[{at}]") for at, both in enumerate(zip(given, kept, strict=True))))
    return set() if given == kept else {where}


def read_by_grafana(board):
    """A dashboard as Grafana's own models read it and write it again."""
    models = pytest.importorskip("grafana_foundation_sdk.models.dashboard")
    from grafana_foundation_sdk.cog import encoder, plugins  # noqa: PLC0415 - only where it is installed

    plugins.register_default_plugins()
    return json.loads(encoder.JSONEncoder().encode(models.Dashboard.from_json(board)))


def test_grafanas_own_models_read_all_of_the_dashboard():
    assert lost(BOARD, read_by_grafana(BOARD)) == set()


def test_a_key_that_grafana_does_not_know_would_be_found():
    panel = {**PANELS[0], "titel": "x", "gridPos": {**PANELS[0]["gridPos"], "width": 3}}
    odd = {**BOARD, "panels": [panel], "schemaversion": 36}
    assert lost(odd, read_by_grafana(odd)) == {".panels[0].titel", ".panels[0].gridPos.width", ".schemaversion"}


def test_no_panel_covers_another_one():
    def cells(panel):
        at = panel["gridPos"]
        return {(x, y) for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])}

    for one, other in combinations(BOARD["panels"], 2):
        assert not cells(one) & cells(other), (one["title"], other["title"])
    assert all(panel["gridPos"]["x"] + panel["gridPos"]["w"] <= 24 for panel in BOARD["panels"])
