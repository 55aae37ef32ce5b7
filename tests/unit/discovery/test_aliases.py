"""HAYSTACK_ALIASES: what nginx-proxy and Traefik read, as Haystack's labels; what is not understood is said, but no variable's value."""

import re
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haystack.discovery import aliases
from haystack.discovery.aliases import nginx_proxy, traefik_rule
from haystack.discovery.aliases.traefik_rule import RuleError, Target
from haystack.discovery.docker import inspect
from haystack.model.records import Options
from tests.fakes.engine import inspected

BOTH = ("nginx-proxy", "traefik")
DOCS = Path(__file__).parents[3] / "docs"


def nginx(*environment, labels=None, exposed=("80/tcp",), kinds=("nginx-proxy",)):
    return aliases.read(kinds, labels or {}, environment, exposed)


def traefik(labels, kinds=("traefik",), own=None):
    return aliases.read(kinds, {f"traefik.{key}": text for key, text in labels.items()} | (own or {}), (), ())


def asked(options, *fields):
    return tuple(getattr(options, field) for field in fields)


@pytest.mark.parametrize(
    ("environment", "exposed", "expected"),
    [
        (("VIRTUAL_HOST=a.example",), ("80/tcp", "443/tcp"), (("a.example",), None, None, None)),
        (("VIRTUAL_HOST=A.example, *.b.example",), ("80/tcp", "443/tcp"), (("a.example", "*.b.example"), None, None, None)),
        (("VIRTUAL_HOST=a.example", "VIRTUAL_PORT=3000"), ("80/tcp",), (("a.example",), 3000, None, None)),
        (("VIRTUAL_HOST=a.example",), ("3000/tcp", "53/udp"), (("a.example",), 3000, None, None)),
        (("VIRTUAL_HOST=a.example", "VIRTUAL_PATH=/api"), (), (("a.example",), None, "/api", None)),
        (("VIRTUAL_HOST=a.example", "LETSENCRYPT_HOST=a.example"), (), (("a.example",), None, None, "redirect")),
        (("VIRTUAL_HOST=a.example", "LETSENCRYPT_HOST=a.example", "HTTPS_METHOD=noredirect"), (), (("a.example",), None, None, "on")),
        (("VIRTUAL_HOST=a.example", "HTTPS_METHOD=nohttps"), (), (("a.example",), None, None, "off")),
        (("VIRTUAL_PORT=3000", "LETSENCRYPT_HOST=a.example", "CERT_NAME=x", "VIRTUAL_DEST=/"), (), ((), None, None, None)),
        (("VIRTUAL_HOST=", "VIRTUAL_HOSTS=a.example", "XVIRTUAL_HOST=b.example", None, 7), (), ((), None, None, None)),
    ],
)
def test_the_variables_of_nginx_proxy(environment, exposed, expected):
    options, problems = nginx(*environment, exposed=exposed)
    assert (asked(options, "hosts", "port", "path", "https"), problems) == (expected, ())
    assert options.labelled is bool(expected[0])


@pytest.mark.parametrize(("proto", "protocol"), [("http", None), ("HTTPS", "https"), ("grpc", "h2c"), ("grpcs", "h2"), ("fastcgi", None)])
def test_what_the_container_speaks(proto, protocol):
    assert nginx("VIRTUAL_HOST=a.example", f"VIRTUAL_PROTO={proto}")[0].protocol == protocol


@pytest.mark.parametrize(("access", "public"), [("internal", False), (" internal ", False), ("external", None), ("", None)])
def test_who_is_outside_stays_there(access, public):
    options, problems = nginx("VIRTUAL_HOST=a.example", f"NETWORK_ACCESS={access}")
    assert (asked(options, "hosts", "public"), problems) == ((("a.example",), public), ())
    assert nginx("VIRTUAL_HOST=a.example", f"NETWORK_ACCESS={access}", labels={"haystack.public": "true"})[0].public is True


def test_an_access_that_is_not_understood_is_none_from_outside():
    assert nginx("VIRTUAL_HOST=a.example", "NETWORK_ACCESS=hunter2")[0].public is False


@pytest.mark.parametrize(
    ("environment", "subject", "told"),
    [
        (("VIRTUAL_HOST=a.example", "VIRTUAL_PORT=hunter2"), "VIRTUAL_PORT", "its value is not a number from 1 to 65535; variable ignored"),
        (
            ("VIRTUAL_HOST=a.example", "VIRTUAL_PATH=hunter2"),
            "VIRTUAL_PATH",
            "its value is not a path that starts with /; variable ignored",
        ),
        (
            ("VIRTUAL_HOST=a.example", "NETWORK_ACCESS=hunter2"),
            "NETWORK_ACCESS",
            "its value is neither internal nor external; taken as internal",
        ),
        (("VIRTUAL_HOST=a.example", "VIRTUAL_PROTO=hunter2"), "VIRTUAL_PROTO", "its value is not one of http, https, grpc, grpcs"),
        (("VIRTUAL_HOST=a.example", "HTTPS_METHOD=hunter2"), "HTTPS_METHOD", "its value is not one of redirect, noredirect"),
        (("VIRTUAL_HOST_MULTIPORTS=hunter2",), "VIRTUAL_HOST_MULTIPORTS", "is not understood: give each host name a container"),
        (("VIRTUAL_HOST=a.example", "VIRTUAL_DEST=hunter2"), "VIRTUAL_DEST", "is not understood: Haystack forwards paths unchanged"),
        (("VIRTUAL_HOST=a.example", "CERT_NAME=hunter2"), "CERT_NAME", "is not understood: certificates in HAYSTACK_CERTS are found by"),
        (("VIRTUAL_HOST=http://hunter2:80",), "VIRTUAL_HOST", "its value is not a host name: remove scheme, port and path"),
        (("VIRTUAL_HOST=hunter2 is not x,a.example",), "VIRTUAL_HOST", "its value is not a host name of letters"),
        (("VIRTUAL_HOST=~^hunter2",), "VIRTUAL_HOST", "a regular expression is not understood: name the hosts, or use *.DOMAIN; ignored"),
        (("VIRTUAL_HOST=hunter2.*",), "VIRTUAL_HOST", "a wildcard at the end is not understood: name the hosts; ignored"),
        (("VIRTUAL_HOST=a.example", "LETSENCRYPT_HOST=hunter2.example"), "LETSENCRYPT_HOST", "has names that VIRTUAL_HOST has not"),
    ],
)
def test_what_can_not_be_used_of_them_is_said_without_its_value(environment, subject, told):
    _, (problem,) = nginx(*environment)
    assert problem.subject == f"variable {subject}"
    assert problem.message.startswith(told)
    assert "hunter2" not in problem.message


@pytest.mark.parametrize("page", ["threat-model.md", "migrating-from-nginx-proxy.md"])
def test_the_docs_say_of_how_many_variables_the_values_are_read(page):
    words = ("five", "six", "seven", "eight", "nine")
    (told,) = re.findall(rf"({'|'.join(words)})(?: \w+)* (?:variables|names) are", (DOCS / page).read_text())
    assert 5 + words.index(told) == len(nginx_proxy.NAMES)


def test_nothing_is_read_unless_it_is_asked_for_and_labels_of_its_own_come_first():
    environment, labels = ("VIRTUAL_HOST=a.example", "VIRTUAL_PORT=3000"), {"haystack.host": "b.example"}
    assert nginx(*environment, kinds=()) == nginx(*environment, kinds=("traefik",)) == (Options(), ())
    options, problems = nginx(*environment, labels=labels)
    assert (asked(options, "hosts", "port"), problems) == ((("b.example",), 3000), ())
    rule = {"traefik.http.routers.r.rule": "Host(`c.example`)"}
    assert nginx(*environment, labels=rule, kinds=BOTH)[0].hosts == ("a.example",)
    assert nginx(*environment, labels=rule, kinds=BOTH[::-1])[0].hosts == ("c.example",)


def test_of_an_inspected_container_no_other_variable_is_kept():
    raw = inspected(1, "web")
    raw["Config"]["Env"] = ["SECRET=hunter2", "VIRTUAL_HOST=a.example", "VIRTUAL_PORT=hunter2", 7, None]
    found = inspect.container(raw, "e", (), ("nginx-proxy",)).container
    assert found.options.hosts == ("a.example",)
    assert "hunter2" not in repr(found)
    assert inspect.container(raw, "e").container.options == Options()


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ("Host(`a.example`)", [Target(("a.example",))]),
        ('Host("a.example", `b.example`)', [Target(("a.example", "b.example"))]),
        ("Host(`a`) || Host(`b`) && PathPrefix(`/x`)", [Target(("a",)), Target(("b",), ("/x",))]),
        ("(Host(`a`) || Host(`b`)) && PathPrefix(`/x`)", [Target(("a",), ("/x",)), Target(("b",), ("/x",))]),
        ("Host(`a`) && ClientIP(`10.0.0.0/8`)", [Target(("a",), (), ("ClientIP",))]),
        ("Host(`a`) && !PathPrefix(`/x`)", [Target(("a",), (), ("!",))]),
        ("Host(`a`) && Host(`b`)", [Target(("a",), (), ("Host twice",))]),
    ],
)
def test_a_rule_of_traefik_becomes_hosts_and_paths(rule, expected):
    assert traefik_rule.read(rule) == expected


@pytest.mark.parametrize(
    "rule",
    ["", "Host", "Host(", "Host()", "Host(`a`", "Host(`a`) Host(`b`)", "Host(a)", "(Host(`a`)", "Host(`a`) &&", "&& Host(`a`)", "(" * 2000,
     "Host(`a`) | Host(`b`)", "Host:a.example", "!" * 2000 + "Host(`a`)", "Host(`" + "a" * 5000 + "`)",
     " && ".join(["(Host(`a`) || Host(`b`))"] * 12)],
)  # fmt: skip
def test_rules_that_are_none(rule):
    with pytest.raises(RuleError):
        traefik_rule.read(rule)


@given(st.text(st.sampled_from('Host`PathPrefix()&|! a/,"\\'), max_size=60))
def test_any_text_is_a_rule_or_is_not(text):
    with suppress(RuleError):
        assert traefik_rule.read(text)


@pytest.mark.parametrize(
    ("labels", "fields", "expected"),
    [
        ({"http.routers.web.rule": "Host(`a.example`) || Host(`b.example`)"}, ("hosts",), (("a.example", "b.example"),)),
        ({"http.routers.web.rule": "Host(`a.example`) && PathPrefix(`/api/`)"}, ("hosts", "path"), (("a.example",), "/api")),
        (
            {"http.routers.web.rule": "Host(`a.example`)", "http.routers.s.rule": "Host(`a.example`)", "http.routers.s.tls": "true",
             "http.routers.s.entrypoints": "websecure", "http.routers.s.tls.certresolver": "le"},
            ("hosts", "path"), (("a.example",), None),
        ),
        ({"http.services.web.loadbalancer.server.port": "3000"}, ("port",), (3000,)),
        ({"HTTP.Services.web.LoadBalancer.Server.Port": "3000"}, ("port",), (3000,)),
        ({"http.services.web.loadbalancer.server.scheme": "h2c"}, ("protocol",), ("h2c",)),
        ({"enable": "false"}, ("enable",), (False,)),
        ({"enable": "true"}, ("enable", "labelled"), (True, True)),
        ({"docker.network": "shop"}, ("network",), ("shop",)),
        ({"swarm.network": "shop"}, ("network",), ("shop",)),
        ({"http.services.web.loadbalancer.sticky.cookie.name": "lb"}, ("sticky",), ("lb",)),
        (
            {"http.services.web.loadbalancer.healthcheck.path": "/up", "http.services.web.loadbalancer.healthcheck.interval": "10s"},
            ("health",), ({"path": "/up", "interval": "10.0"},),
        ),
        # middlewares that keep nobody out
        (
            {"http.routers.web.rule": "Host(`a.example`)", "http.routers.web.middlewares": "zip@docker, again",
             "http.middlewares.zip.compress": "true", "http.middlewares.again.retry.attempts": "3"},
            ("hosts", "https"), (("a.example",), None),
        ),
        (
            {"http.routers.web.rule": "Host(`a.example`)", "http.routers.web.middlewares": "secure",
             "http.middlewares.secure.redirectscheme.scheme": "https", "http.routers.s.rule": "Host(`a.example`)",
             "http.routers.s.tls": "true"},
            ("hosts", "https"), (("a.example",), "redirect"),
        ),
    ],
)  # fmt: skip
def test_the_labels_of_traefik(labels, fields, expected):
    options, problems = traefik(labels)
    assert (asked(options, *fields), problems) == (expected, ())


@pytest.mark.parametrize(
    ("labels", "hosts", "told"),
    [
        ({"http.routers.web.rule": "Host(`a.example`) && Headers(`x`, `y`)"}, (), "Headers is not understood; this part ignored"),
        ({"http.routers.web.rule": "HostRegexp(`.*`) || Host(`a.example`)"}, ("a.example",), "HostRegexp is not understood"),
        ({"http.routers.web.rule": "PathPrefix(`/x`)"}, (), "a rule without Host would be for every host"),
        ({"http.routers.web.rule": "Host:a.example"}, (), "its rule can't be read: ':a.example' is not understood"),
        (
            {"http.routers.web.rule": "Host(`a.example`)", "http.routers.web.middlewares": "auth"},
            (), "its middlewares (auth) are not understood",
        ),
        ({"http.routers.web.rule": "Host(`a.example`)", "http.routers.web.tls.options": "x"}, (), "its tls.options (x) are not understood"),
        (
            {"http.routers.a.rule": "Host(`a.example`)", "http.routers.b.rule": "Host(`b.example`) && PathPrefix(`/b`)"},
            ("a.example",), "a container has one path prefix, which is / here, and not /b",
        ),
        (
            {"http.routers.web.rule": "Host(`a.example`)", "tcp.routers.db.rule": "HostSNI(`*`)"},
            ("a.example",), "Haystack proxies HTTP only; TLS can be passed through (haystack.https=passthrough); ignored",
        ),
        (
            {"http.routers.web.rule": "Host(`a.example`)", "udp.routers.a.entrypoints": "x", "tcp.routers.b.rule": "x",
             "tcp.routers.c.rule": "x"},
            ("a.example",),
            "Haystack proxies HTTP only; TLS can be passed through (haystack.https=passthrough); ignored, and 2 more like it",
        ),
        (
            {"frontend.rule": "Host:a.example", "port": "80"},
            (), "labels of Traefik 1 are not understood: set haystack.host and haystack.port; ignored, and 1 more like it",
        ),
        ({"http.services.a.loadbalancer.passhostheader": "false"}, (), "HAYSTACK_ALIASES does not read this label; ignored"),
        ({"http.routers.web.rule": "Host(`a_b.*`, `a.example`)"}, ("a.example",), "read as haystack.host: 'a_b.*' is not a host name"),
        (
            {"http.services.a.loadbalancer.server.port": "3000", "http.services.b.loadbalancer.server.port": "4000"},
            (), "'3000' is used: a container has one haystack.port",
        ),
    ],
)  # fmt: skip
def test_what_is_not_understood_of_them_is_said_and_never_leads_to_more_than_was_meant(labels, hosts, told):
    options, (problem,) = traefik(labels)
    assert options.hosts == hosts
    assert problem.subject.startswith("label traefik.")
    assert problem.message.startswith(told)


OPEN, AUTH = {"http.routers.app.rule": "Host(`a.example`, `b.example`)"}, {"http.routers.g.middlewares": "auth"}


@pytest.mark.parametrize(
    ("labels", "hosts"),
    [
        # the usual redirect to HTTPS
        (AUTH | {"http.routers.g.rule": "Host(`a.example`)"}, ("a.example", "b.example")),
        (AUTH | {"http.routers.g.rule": "HostRegexp(`.+`)"}, ("a.example", "b.example")),
        (AUTH, ("a.example", "b.example")),
        ({"http.routers.app.rule": "Host(`a.example`) && PathPrefix(`/x`)"} | AUTH
         | {"http.routers.g.rule": "Host(`a.example`) && PathPrefix(`/x/`)"}, ("a.example",)),
        ({"http.routers.app.rule": "Host(`a.example`) && PathPrefix(`/x`)"} | AUTH
         | {"http.routers.g.rule": "Host(`a.example`) && PathPrefix(`/y`)"}, ("a.example",)),
        # a part of a host
        (AUTH | {"http.routers.g.rule": "Host(`A.example`) && PathPrefix(`/admin`)"}, ("b.example",)),
        (AUTH | {"http.routers.g.rule": "Host(`a.example`) && Method(`POST`)"}, ("b.example",)),
        (AUTH | {"http.routers.g.rule": "PathPrefix(`/admin`)"}, ()),
        (AUTH | {"http.routers.g.rule": "HostRegexp(`.+`) && PathPrefix(`/admin`)"}, ()),
        (AUTH | {"http.routers.g.rule": "Host:a.example"}, ()),
        ({"http.routers.app.rule": "Host(`*.example`)"} | AUTH | {"http.routers.g.rule": "Host(`a.example`) && PathPrefix(`/x`)"}, ()),
        ({"http.routers.app.rule": "Host(`a.example`) && PathPrefix(`/x`)"} | AUTH
         | {"http.routers.g.rule": "Host(`a.example`) && PathPrefix(`/x/admin`)"}, ()),
        (AUTH | {"http.routers.g.rule": "Host(`a.example`)", "http.routers.g.priority": "100"}, ("b.example",)),
        ({"http.routers.g.rule": "Host(`a.example`)", "http.routers.g.tls.options": "mtls@file"}, ("b.example",)),
    ],
)  # fmt: skip
def test_no_router_serves_what_another_one_guards(labels, hosts):
    options, problems = traefik(OPEN | labels)
    assert options.hosts == hosts
    assert any(problem.message.endswith("where they are not needed; this router ignored") for problem in problems)
    assert [p.subject for p in problems if "is left out" in p.message] == ["label traefik.http.routers.g.rule"] * (
        not {"a.example", "*.example"} & {*hosts}
    )


REDIRECT = {"http.routers.r.middlewares": "secure", "http.middlewares.secure.redirectscheme.scheme": "https"}


@pytest.mark.parametrize(
    "guard",
    [{"http.routers.g.middlewares": "auth"}, {"http.routers.g.tls.options": "mtls"}, {"http.routers.g.service": "login@docker"},
     {"http.routers.g.middlewares": "both", "http.middlewares.both.compress": "true", "http.middlewares.both.basicauth.users": "x"},
     {"http.routers.g.middlewares": "secure,auth"}],
)  # fmt: skip
def test_a_redirect_to_what_is_guarded_opens_nothing(guard):
    options, _ = traefik({"http.routers.r.rule": "Host(`a.example`)", "http.routers.g.rule": "Host(`a.example`)"} | REDIRECT | guard)
    assert asked(options, "hosts", "https") == ((), None)


def test_what_is_served_is_what_routers_lead_to_and_not_what_is_redirected():
    redirected = {"http.routers.r.rule": "Host(`a.example`) || Host(`b.example`)"} | REDIRECT
    served = {"http.routers.s.rule": "Host(`a.example`) && PathPrefix(`/public`)"}
    assert asked(traefik(redirected | served)[0], "hosts", "path", "https") == (("a.example",), "/public", "redirect")
    assert asked(traefik(redirected)[0], "hosts", "path", "https") == (("a.example", "b.example"), None, "redirect")


def test_a_redirect_to_elsewhere_than_https_is_not_understood():
    redirected = {"http.routers.r.rule": "Host(`a.example`)"} | REDIRECT | {"http.middlewares.secure.redirectscheme.scheme": "http"}
    options, problems = traefik(redirected)
    assert asked(options, "hosts", "https") == ((), None)
    assert any("are not understood" in problem.message for problem in problems)


def test_the_port_is_that_of_the_service_which_the_router_names():
    ports = {f"http.services.{name}.loadbalancer.server.port": port for name, port in (("a", "3000"), ("b", "4000"))}
    assert traefik(ports | {"http.routers.web.rule": "Host(`x.example`)", "http.routers.web.service": "b@docker"})[0].port == 4000


@pytest.mark.parametrize("service", ["other@docker", "api@internal", "web@file", "we", "other"])
def test_a_router_to_another_service_leads_nobody_here(service):
    labels = {"http.services.web.loadbalancer.server.port": "3000", "http.routers.b.rule": "Host(`b.example`)"}
    more = {"http.routers.a.rule": "Host(`a.example`)", "http.routers.a.service": service}
    options, (problem,) = traefik(labels | more)
    assert asked(options, "hosts", "port") == (("b.example",), 3000)
    assert problem.message.startswith(f"it leads to the service {service}, which is none of this container's labels")
    assert traefik(more)[0].hosts == ()


@pytest.mark.parametrize("service", ["web", "Web@docker", "web@swarm"])
def test_a_router_to_a_service_of_the_same_labels_leads_here(service):
    labels = {"http.services.web.loadbalancer.server.port": "3000", "http.services.a.loadbalancer.server.port": "3000"}
    options, problems = traefik(labels | {"http.routers.a.rule": "Host(`a.example`)", "http.routers.a.service": service})
    assert (asked(options, "hosts", "port"), problems) == ((("a.example",), 3000), ())


def test_the_port_is_not_that_of_a_service_elsewhere():
    ports = {f"http.services.{name}.loadbalancer.server.port": port for name, port in (("a", "3000"), ("b", "4000"))}
    routers = {"http.routers.a.service": "a@file", "http.routers.b.service": "b"}
    assert traefik(ports | routers | {f"http.routers.{name}.rule": f"Host(`{name}.example`)" for name in "ab"})[0].port == 4000


@pytest.mark.parametrize("rule", ["Host(`a.example`) && PathPrefix(`/admin`)", "Host(`a.example`)"])
def test_what_another_service_is_asked_for_may_be_guarded_by_that(rule):
    labels = {"http.routers.g.rule": rule, "http.routers.g.service": "login@docker"}
    assert traefik(OPEN | labels)[0].hosts == ("b.example",)
    redirect = {"http.routers.g.rule": "Host(`a.example`)", "http.routers.g.service": "noop@internal"}
    assert traefik(OPEN | AUTH | redirect)[0].hosts == ("a.example", "b.example")


def server(name, port, **more):
    """Labels of a service of Traefik, and of a router to it."""
    return {f"http.services.{name}.loadbalancer.server.port": port, f"http.routers.{name}.rule": f"Host(`{name}.example`)"} | {
        f"http.routers.{name}.{key}": text for key, text in ({"service": name} | more).items()
    }


@pytest.mark.parametrize("guard", [{"middlewares": "auth"}, {"tls.options": "mtls"}])
def test_the_port_that_a_router_guards_is_no_other_router_s(guard):
    options, problems = traefik(server("admin", "9001", **guard) | server("www", "80"))
    assert asked(options, "hosts", "port") == (("www.example",), 80)
    assert any("are not understood" in problem.message for problem in problems)


def test_a_host_never_leads_to_the_port_of_another_router_s_service():
    options, problems = traefik(server("api", "9000") | server("console", "9001"))
    assert asked(options, "hosts", "port") == (("api.example",), 9000)
    assert [p.message for p in problems if "console" in p.subject] == [
        "it leads to the service console, on another port than api, and a container has one haystack.port; this router ignored"
    ]
    both = server("api", "9000") | server("web", "9000") | {"http.services.api.loadbalancer.server.scheme": "HTTP"}
    assert asked(traefik(both)[0], "hosts", "port") == (("api.example", "web.example"), 9000)


def test_a_router_that_names_none_of_several_services_leads_nobody_here():
    labels = {
        key: text for key, text in (server("admin", "9001", middlewares="auth") | server("www", "80")).items() if "www.service" not in key
    }
    options, problems = traefik(labels)
    assert asked(options, "hosts", "port") == ((), None)
    assert any(problem.message.startswith("it names none of the services of these labels") for problem in problems)


def test_a_service_without_a_port_has_none_of_another_one():
    labels = server("admin", "9001", middlewares="auth") | server("www", "80")
    del labels["http.services.www.loadbalancer.server.port"]
    options, _ = traefik(labels | {"http.services.www.loadbalancer.healthcheck.path": "/up"})
    assert asked(options, "hosts", "port", "health") == (("www.example",), None, {"path": "/up"})


@pytest.mark.parametrize("rule", ["HostRegexp(`^w+$`)", "PathPrefix(`/`)", "Host(`www.example`) && Method(`GET`)"])
def test_where_no_router_is_read_nobody_gets_the_port_of_a_guarded_one(rule):
    """The other service has no port in its labels: it is at the one that the image exposes."""
    labels = server("admin", "9001", middlewares="auth") | server("www", "80") | {"http.routers.www.rule": rule}
    del labels["http.services.www.loadbalancer.server.port"]
    options, problems = traefik(labels | {"http.services.www.loadbalancer.server.scheme": "http"})
    assert asked(options, "hosts", "port") == ((), None)
    assert any(problem.message.endswith("which differ in haystack.port; ignored") for problem in problems)
