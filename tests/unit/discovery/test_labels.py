"""Labels: each one's good and bad values; a bad one costs itself alone."""

import pytest

from haystack.discovery import labels


@pytest.mark.parametrize(
    ("key", "text", "field", "value"),
    [
        ("enable", "false", "enable", False),
        ("enable", " ON ", "enable", True),
        ("name", "Api.Shop.", "name", "api.shop"),
        ("group", "a.b", "group", "a.b"),
        ("port", "3000", "port", 3000),
        ("network", "app", "network", "app"),
        ("host", "Shop.example, *.shop.example,", "hosts", ("shop.example", "*.shop.example")),
        ("path", "/api", "path", "/api"),
        ("weight", "0", "weight", 0),
        ("balance", "Random", "balance", "random"),
        ("sticky", "sid", "sticky", "sid"),
        ("max_connections", "10", "max_connections", 10),
        ("timeout", "500ms", "timeout", 0.5),
        ("retry", "503, 502", "retry", (502, 503)),
        ("retry", "OFF", "retry", ()),
        ("upgrade", "TCP, my-own ,tcp", "upgrade", ("tcp", "my-own")),
        ("upgrade", "any", "upgrade", ("any",)),
        ("health.path", "/up", "health", {"path": "/up"}),
        ("health.grpc", "yes", "health", {"grpc": "on"}),
        ("health.grpc", "shop.v1.Cart", "health", {"grpc": "shop.v1.Cart"}),
        ("protocol", "H2C", "protocol", "h2c"),
        ("protocol", "https", "protocol", "https"),
        ("tls.ca", "/ca/one.pem", "tls_ca", "/ca/one.pem"),
        ("tls.server_name", "DB.internal.", "tls_server_name", "db.internal"),
        ("tls.server_name", "[FD00::1]", "tls_server_name", "fd00::1"),
        ("health", "Require", "health_policy", "require"),
    ],
)
def test_a_good_label_becomes_its_option(key, text, field, value):
    within = {"haystack.protocol": "https"} if key.startswith("tls.") else {}
    options, problems = labels.read({f"haystack.{key}": text} | within)
    assert (getattr(options, field), problems) == (value, ())


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("enable", "perhaps"), ("name", "a b"), ("name", "x" * 64), ("group", "---"), ("port", "0"), ("port", "http"),
        ("port", "65536"), ("network", ""), ("host", "a..b"), ("host", ","), ("host", "a.*.b"), ("path", "api"),
        ("path", "/a?b"), ("weight", "-1"), ("weight", "٣"), ("balance", "luck"), ("sticky", "a b"), ("timeout", "0"),
        ("timeout", "soon"), ("retry", "5xx"), ("retry", "404"), ("retry", ""),
        ("upgrade", ""), ("upgrade", "a b"), ("upgrade", "tcp, H2C"), ("upgrade", "tls/1.0"), ("health.path", "x"), ("health.wealth", "1"),
        ("health.grpc", "off"), ("health.grpc", "a b"),
        ("health", "perhaps"), ("health.status", "2xx"), ("health.method", "A B"), ("health.host", "a b"),
        ("protocol", "http/2"), ("protocol", ""), ("tls.ca", "ca.pem"), ("tls.server_name", "a b"),
        ("tls.server_name", "fe80::1%eth0"), ("tls.verify", "perhaps"),
        ("health.host", "a\nb"), ("colour", "red"), ("", ""),
    ],
)  # fmt: skip
def test_bad_costs_itself_alone(key, text):
    options, problems = labels.read({f"haystack.{key}": text, "haystack.max_connections": "7", "other": "x"})
    assert options.max_connections == 7
    assert [p.subject for p in problems] == [f"label haystack.{key}"]
    assert "ignored" in problems[0].message


@pytest.mark.parametrize(
    ("key", "right"),
    [
        ("haystack.Port", "port"), ("Haystack.port", "port"), ("HAYSTACK.PORT", "port"), ("haystack.prot", "port"),
        ("haystack.hosts", "host"), ("haystack.max-connections", "max_connections"), ("haystack.maxConnections", "max_connections"),
        ("haystack_port", "port"), ("haystack-port", "port"), ("haystack/port", "port"), ("haystack.healt.path", "health.path"),
        ("haystack.health_path", "health.path"), ("haystack.health.slowstart", "health.slow_start"), ("haystack.enabled", "enable"),
        ("haystack.protocoll", "protocol"), ("haystack.proto", "protocol"),
    ],
)  # fmt: skip
def test_a_misspelt_or_wrongly_cased_label_is_ignored_and_the_right_one_is_said(key, right):
    options, problems = labels.read({key: "80"})
    assert options == labels.Options()
    assert [(p.subject, p.message) for p in problems] == [(f"label {key}", f"no such label; did you mean haystack.{right}?; label ignored")]


def test_labels_of_others_are_nobodys_business():
    """Other programs are called Haystack, too."""
    assert labels.read({"haystack": "x", "haystack-ai.model": "y", "com.haystack.port": "80", "haystacks.port": "1"}) == (
        labels.Options(),
        (),
    )


def test_times_and_switches_are_taken_as_people_write_them():
    options, problems = labels.read({"haystack.timeout": "1h30m", "haystack.enable": "y", "haystack.wait": "n", "haystack.eject": "No"})
    assert (options.timeout, options.enable, options.wait, options.eject, problems) == (5400.0, True, 0.0, False, ())


def test_a_probe_without_a_path_is_none_and_that_is_told():
    _, problems = labels.read({"haystack.health.path": "/", "haystack.health.interval": "99ms"})
    assert [p.message for p in problems] == ["'99ms' is not 100ms or more; label ignored"]
    options, problems = labels.read({"haystack.health.interval": "1s", "haystack.health.status": "200-299,404"})
    assert options.health == {"interval": "1.0", "status": "200-299,404"}
    assert [p.subject for p in problems] == ["label haystack.health.path"]


def test_what_belongs_to_http_does_not_go_with_a_grpc_health_check():
    assert labels.read({"haystack.health.grpc": "on", "haystack.health.interval": "1s", "haystack.health.host": "shop.example"})[1] == ()
    _, problems = labels.read({f"haystack.health.{word}": text for word, text in {"grpc": "on", "path": "/", "status": "200"}.items()})
    assert [p.subject for p in problems] == ["label haystack.health.path", "label haystack.health.status"]
    assert {p.message for p in problems} == {"is not for gRPC health checks (haystack.health.grpc); label ignored"}


@pytest.mark.parametrize(
    ("host", "hint"),
    [
        ("*", "*.example.com"), ("*.", "*.example.com"), ("one.example:80", "remove the port"), ("http://one.example", "remove scheme"),
        ("one.example/x", "remove scheme"), ("[::1]", "IP address"), ("[::1]:80", "IP address"), ("fe80::1", "IP address"),
        ("bücher.example", "xn--"), ("LOCAL\u212aOST", "xn--"), ("a..b", "letters"), ("a.*.b", "letters"), ("*.*.example", "letters"),
        ("my_app.example", "letters"), ("one.example..", "letters"), ("one example", "letters"), ("x" * 64, "letters"),
        ("one\0.example", "letters"),
    ],
)  # fmt: skip
def test_a_text_that_is_no_host_is_ignored_alone_and_what_to_do_is_told(host, hint):
    options, problems = labels.read({"haystack.host": f"two.example,{host},*.three.example."})
    assert options.hosts == ("two.example", "*.three.example")
    (problem,) = problems
    assert problem.subject == "label haystack.host"
    assert hint in problem.message
    assert problem.message.endswith("this host ignored")


def test_labels_of_tls_say_so_where_they_have_no_effect_and_where_nothing_is_verified():
    _, problems = labels.read({"haystack.tls.ca": "/ca.pem", "haystack.protocol": "h2c"})
    assert [(p.subject, p.message) for p in problems] == [("label haystack.tls.ca", "has no effect without haystack.protocol=https or h2")]
    options, problems = labels.read({"haystack.tls.verify": "off", "haystack.protocol": "https"})
    assert not options.tls_verify
    assert [p.subject for p in problems] == ["label haystack.tls.verify"]
    assert "read and change" in problems[0].message
