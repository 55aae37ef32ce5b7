"""What the settings take, what they refuse, and how they say so: in one line."""

from ipaddress import ip_network
from pathlib import Path

import pytest

from haystack.net.access import Allowed
from haystack.settings import settings as settings_module
from haystack.settings.forwarding import Domain, Domains
from haystack.settings.settings import Settings, SettingsError, flag, load, variable

PEM = "-----BEGIN THING-----\nc2VjcmV0\n-----END THING-----\n"


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch):
    for field in Settings.model_fields:
        monkeypatch.delenv(variable(field), raising=False)


def test_defaults_are_the_usual_ones():
    settings = load()
    assert settings.docker_host == ("unix:///var/run/docker.sock",)
    assert (settings.http_port, settings.http_alt_port, settings.dns_port, settings.ssh_port) == (80, 8080, 53, 22)
    assert (settings.origin, settings.dns_ttl, settings.balance) == ("haystack", 5, "p2c")
    assert (settings.admin, settings.trace, settings.static) == (True, False, None)
    assert settings.state_dir == Path("/var/lib/haystack")
    assert settings.workers == settings_module.cpus()
    assert not settings.model_fields_set


GOOD = [
    ("origin", "Dev.Example.", "dev.example"),
    ("http_port", "0", 0),
    ("http_port", "65535", 65535),
    ("admin", "off", False),
    ("admin", "TRUE", True),
    ("trace", "1", True),
    ("bind", "127.0.0.1, ::1", ("127.0.0.1", "::1")),
    ("address", "10.0.0.1,fd00:0::1", ("10.0.0.1", "fd00::1")),
    ("dns_nameservers", "1.1.1.1,9.9.9.9:5353,[fd00::1]:54,fd00::2", ("1.1.1.1", "9.9.9.9:5353", "[fd00::1]:54", "fd00::2")),
    (
        "dns_forward",
        "Corp.Example.=10.0.0.2, 10.0.0.3:5353 ; 10.in-addr.arpa=[fd00::1]:54;",
        Domains((Domain("corp.example", ("10.0.0.2", "10.0.0.3:5353")), Domain("10.in-addr.arpa", ("[fd00::1]:54",)))),
    ),
    ("dns_forward", "_tcp.x=10.0.0.2", Domains((Domain("_tcp.x", ("10.0.0.2",)),))),
    ("allow", "Private, 203.0.113.0/24", Allowed(private=True, networks=(ip_network("203.0.113.0/24"),))),
    ("admin", "127.0.0.1:9000", "127.0.0.1:9000"),
    ("admin", "[2001:DB8::1]:0", "[2001:db8::1]:0"),
    ("admin", "0", False),
    ("expose", "Labelled", "labelled"),
    ("admin_allow", "any", Allowed(networks=(ip_network("0.0.0.0/0"), ip_network("::/0")))),
    ("dns_recursion", "off", Allowed()),
    ("trusted_proxies", "10.0.0.0/8,192.168.1.7", (ip_network("10.0.0.0/8"), ip_network("192.168.1.7/32"))),
    ("balance", "random", "random"),
    ("docker_host", "tcp://10.0.0.1:2376,unix:///run/d.sock", ("tcp://10.0.0.1:2376", "unix:///run/d.sock")),
    ("docker_host", "https://engine:2376/", ("https://engine:2376",)),
    ("docker_host", "ssh://me@host/run/d.sock,SSH://host:22", ("ssh://me@host/run/d.sock", "ssh://host:22")),
    ("docker_ca", PEM, PEM),
    ("docker_ca", PEM.replace("\n", "\\n"), PEM),
    ("docker_tls_verify", "1", True),
    ("log_level", "DEBUG", "debug"),
    ("access_log_fields", "Time, client;request-id,time", ("time", "client", "request_id")),
    ("cors_origin", "https://ui.example", "https://ui.example"),
    ("state_dir", "/tmp/state", Path("/tmp/state")),  # noqa: S108 - never made
    ("workers", "3", 3),
    ("max_head", "1024", 1024),
    ("max_headers", "1", 1),
    ("kept_body", "0", 0),
    ("max_connections", "0", 0),
    ("head_timeout", "500ms", 0.5),
    ("idle_timeout", "2m", 120.0),
    ("timeout", "1.5", 1.5),
    ("tunnel_timeout", "24h", 86400.0),
    ("pool_age", "0", 0.0),
    ("pool_age", "0s", 0.0),
    ("body_rate", "0", 0),
    ("queue_size", "10", 10),
    *((field, text, 0.0) for field in ("wait", "drain", "queue_timeout", "pool_idle", "tunnel_timeout") for text in ("0", "0s")),
]


@pytest.mark.parametrize(("field", "text", "value"), GOOD)
def test_a_good_value_is_taken_from_the_variable_and_from_the_flag(monkeypatch, field, text, value):
    assert getattr(load({field: text}), field) == value
    monkeypatch.setenv(variable(field), text)
    assert getattr(load(), field) == value


BAD = [
    ("origin", "a..b"),
    ("origin", "-a"),
    ("origin", "a_b"),
    ("origin", "a" * 64),
    ("http_port", "65536"),
    ("http_port", "-1"),
    ("dns_port", "many"),
    ("ssh_port", "2²"),
    ("workers", "0"),
    ("dns_ttl", "1.5s"),
    ("dns_ttl", "25h"),
    ("bind", "everywhere"),
    ("address", "10.0.0"),
    ("dns_nameservers", "dns.example"),
    ("dns_nameservers", "1.1.1.1:0"),
    *(
        ("dns_forward", text)
        for text in ("corp.example", "corp=", "=10.0.0.2", "a..b=10.0.0.2", "a=x", "a=10.0.0.2:0", ";", "a=::1;A.=::2")
    ),
    ("dns_forward", f"{'a' * 64}=10.0.0.2"),
    ("dns_forward", f"{'a.' * 127}a=10.0.0.2"),
    ("trusted_proxies", "10.0.0.0/33"),
    ("admin", "127.0.0.1"),
    ("admin", "localhost:9000"),
    ("admin", "127.0.0.1:99999"),
    ("admin", "::1:"),
    ("expose", "some"),
    ("allow", "everybody"),
    ("admin_allow", "any,10.0.0.1"),
    ("dns_recursion", "10.0.0.0/33"),
    ("balance", "fair"),
    ("admin", "maybe"),
    ("docker_host", "ssh://"),
    ("docker_host", "ssh://host:0"),
    ("docker_host", "tcp://host:99999"),
    ("docker_host", "unix://"),
    ("docker_host", ","),
    ("log_level", "loud"),
    ("log_format", "xml"),
    ("access_log", "on"),
    ("access_log_fields", "time,stauts"),
    ("cors_origin", "ui.example"),
    ("max_head", "1023"),
    ("max_head", "65537"),
    ("max_headers", "0"),
    ("max_headers", "129"),
    ("kept_body", "1048577"),
    ("max_connections", "-1"),
    ("max_client_connections", "many"),
    ("head_timeout", "0"),
    ("head_timeout", "5d"),
    ("idle_timeout", "25h"),
    ("timeout", "soon"),
    ("connect_timeout", "1e3"),
    ("pool_age", "-1s"),
    ("body_rate", "1x"),
    ("max_head", "65k"),
    ("timeout", "1h30"),
    ("timeout", "h"),
]


@pytest.mark.parametrize(("field", "text"), BAD)
def test_a_bad_value_is_refused_with_its_variable_its_text_and_what_it_takes(monkeypatch, field, text):
    monkeypatch.setenv(variable(field), text)
    with pytest.raises(SettingsError) as caught:
        load()
    line = str(caught.value)
    assert line.startswith(f"{variable(field)}: {text!r} ")
    assert Settings.model_fields[field].description in line
    assert "\n" not in line


def test_an_empty_variable_counts_as_unset(monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", "")
    assert load().docker_host == ("unix:///var/run/docker.sock",)


def test_a_flag_wins_over_the_variable(monkeypatch):
    monkeypatch.setenv("HAYSTACK_ORIGIN", "one")
    assert load({"origin": "two"}).origin == "two"


def test_a_secret_is_shown_nowhere():
    settings = load({"docker_key": PEM, "docker_cert": PEM})
    assert "c2VjcmV0" not in repr(settings.shown())
    assert "docker_key=" not in repr(settings)
    with pytest.raises(SettingsError) as caught:
        load({"docker_key": "c2VjcmV0", "docker_cert": PEM})
    assert "c2VjcmV0" not in str(caught.value)
    assert "DOCKER_KEY" in str(caught.value)


def test_secrets_may_be_kept_in_files(monkeypatch, tmp_path):
    for name in ("key", "cert", "ca"):
        (tmp_path / name).write_text(PEM)
        monkeypatch.setenv(f"DOCKER_{name.upper()}_FILE", str(tmp_path / name))
    settings = load()
    assert (settings.docker_key, settings.docker_cert, settings.docker_ca) == (PEM, PEM, PEM)
    monkeypatch.setenv("DOCKER_KEY", PEM)
    with pytest.raises(SettingsError, match="DOCKER_KEY and DOCKER_KEY_FILE are both set"):
        load()


@pytest.mark.parametrize(
    ("text", "why"),
    [(None, "No such file"), (b"c2VjcmV0", "not PEM text"), (b" \n", "it is empty"), (b"\xffc2VjcmV0", "it is not text in UTF-8")],
)
def test_a_file_of_a_secret_that_can_not_be_used_ends_the_start_with_one_line(monkeypatch, tmp_path, text, why):
    if text:
        (tmp_path / "key").write_bytes(text)
    monkeypatch.setenv("DOCKER_KEY_FILE", str(tmp_path / "key"))
    with pytest.raises(SettingsError, match=why) as caught:
        load()
    assert "c2VjcmV0" not in str(caught.value)
    assert str(caught.value).startswith("DOCKER_KEY_FILE: ")


def test_a_secret_that_is_a_folder_is_told_as_what_docker_has_made(monkeypatch, tmp_path):
    monkeypatch.setenv("DOCKER_KEY_FILE", str(tmp_path))
    with pytest.raises(SettingsError, match="it is a folder \\(Docker creates one"):
        load()


@pytest.mark.parametrize(
    "host",
    ["tcp:/user:s3cret@10.0.0.1", "user:s3cret@10.0.0.1:2375", "tcp://user:s3cret@", "https://s3cret@x:99999", "ftp://user:s3cret@x:1"],
)
def test_a_password_in_a_url_that_can_not_be_used_is_not_repeated(host):
    with pytest.raises(SettingsError) as caught:
        load({"docker_host": host})
    assert "s3cret" not in str(caught.value)


def test_a_password_in_a_url_is_shown_nowhere():
    settings = load({"docker_host": "tcp://s3cret@10.0.0.1:2375,https://t0ken@h"})
    assert settings.shown()["DOCKER_HOST"] == "tcp://***@10.0.0.1:2375,https://***@h:2376"


def test_a_key_without_its_certificate_is_refused():
    with pytest.raises(SettingsError, match="DOCKER_CERT is not set"):
        load({"docker_key": PEM})


def test_defaults_of_a_command_yield_to_what_was_given():
    settings = load({"http_port": "81"}).with_defaults({"http_port": 8000, "dns_port": 5300})
    assert (settings.http_port, settings.dns_port) == (81, 5300)


def test_every_setting_has_a_flag_and_says_what_it_takes():
    assert flag("http_alt_port") == "--http-alt-port"
    assert all(field.description for field in Settings.model_fields.values())
