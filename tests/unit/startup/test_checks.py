"""A mistake ends the start with one line that says where it is and what to do, or is warned of; `check` tells the same."""

import contextlib
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from haystack.command_line import commands, running
from haystack.discovery.docker.tls import TlsOptions
from haystack.proxy.account import Account
from haystack.settings import otel
from haystack.settings.settings import LONG, SECRET, Settings, flag, load, variable
from haystack.settings.variables import misspelt, unknown
from haystack.startup import bootstrap, checks, engines
from haystack.startup.unprivileged import acting_as
from tests.fakes.folders import open_to_all

PEM = "-----BEGIN CERTIFICATE-----\nc2VjcmV0\n-----END CERTIFICATE-----\n"
NONSENSE = {"state_dir": "/dev/null/nonsense"}
KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPGLFY1y2FqWXCgN6xtGWRwJXjYHbcHqJAbGOWVQpJbR me"


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch, tmp_path):
    for name in list(os.environ):
        if name.startswith(("HAYSTACK_", "DOCKER_")):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def starts(monkeypatch):
    """How often anything was started."""
    calls = []
    monkeypatch.setattr(bootstrap, "begun", lambda *_, **_more: contextlib.nullcontext([]))
    monkeypatch.setattr(running, "main", lambda *args, **_more: calls.append(args) or 0)
    return calls


def ended(words, capsys):
    """Status and the lines on standard error."""
    try:
        status = commands.main(words)
    except SystemExit as end:
        status = end.code
    return status, capsys.readouterr().err.splitlines()


@pytest.mark.parametrize("command", ["run", "check", "demo"])
@pytest.mark.parametrize("field", Settings.model_fields)
def test_a_nonsense_value_of_any_setting_ends_the_start_with_one_line(field, command, capsys, monkeypatch, starts):
    text = NONSENSE.get(field, "-nonsense-")
    monkeypatch.setenv(variable(field), text)
    monkeypatch.setattr(engines, "trouble", lambda _settings, _host: None)
    status, lines = ended([command], capsys)
    assert (status, len(lines), starts) == (2, 1, [])
    line = lines[0]
    assert line.startswith(f"haystack: {variable(field)}: ")
    assert Settings.model_fields[field].description in line
    assert (text in line) == (field not in LONG | SECRET)


def test_a_nonsense_value_ends_the_real_process_too(tmp_path):
    environment = {"PATH": os.environ["PATH"], "HAYSTACK_STATE_DIR": "/dev/null/x"}
    words = [sys.executable, "-m", "haystack", "run", "--http-port", "0"]
    done = subprocess.run(words, env=environment, cwd=Path.cwd(), capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1)
    assert "HAYSTACK_STATE_DIR" in done.stderr


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("HAYSTACK_ORGIN", "HAYSTACK_ORIGIN"), ("HAYSTACK_HTTPPORT", "HAYSTACK_HTTP_PORT"), ("haystack_origin", "HAYSTACK_ORIGIN"),
        ("HAYSTACK_LOGLEVEL", "HAYSTACK_LOG_LEVEL"), ("HAYSTACK_TRUSTED_PROXY", "HAYSTACK_TRUSTED_PROXIES"),
        ("HAYSTACK_NAMESERVERS", "HAYSTACK_DNS_NAMESERVERS"), ("HAYSTACK_WORKER", "HAYSTACK_WORKERS"), ("HAYSTACK_BIN", "HAYSTACK_BIND"),
        ("HAYSTACK_ALT_HTTP_PORT", "HAYSTACK_HTTP_ALT_PORT"), ("HAYSTACK_STATEDIR", "HAYSTACK_STATE_DIR"),
        ("HAYSTACK_HTTP-PORT", "HAYSTACK_HTTP_PORT"), ("HAYSTACK_SSH_AUTHORISED_KEYS", "HAYSTACK_SSH_AUTHORIZED_KEYS"),
    ],
)  # fmt: skip
def test_a_misspelt_variable_stops_the_start_and_the_right_name_is_said(name, right, monkeypatch, capsys, starts):
    monkeypatch.setenv(name, "80")
    status, lines = ended(["run"], capsys)
    assert (status, len(lines), starts) == (2, 1, [])
    assert lines[0] == f"haystack: {name} is not a setting: did you mean {right}?"


# as `docker run --link haystack`, Kubernetes (enableServiceLinks) and developers set them
INJECTED = {
    "HAYSTACK_PORT": "tcp://172.17.0.5:80", "HAYSTACK_NAME": "/web/haystack", "HAYSTACK_PORT_80_TCP": "tcp://172.17.0.5:80",
    "HAYSTACK_PORT_80_TCP_ADDR": "172.17.0.5", "HAYSTACK_PORT_80_TCP_PORT": "80", "HAYSTACK_PORT_80_TCP_PROTO": "tcp",
    "HAYSTACK_PORT_53_UDP_PORT": "53", "HAYSTACK_ENV_HAYSTACK_ORIGN": "x", "HAYSTACK_SERVICE_HOST": "10.96.0.7",
    "HAYSTACK_SERVICE_PORT": "80", "HAYSTACK_SERVICE_PORT_HTTP": "80", "HAYSTACK_SERVICE_PORT_HTTP_ALT": "8080",
    "HAYSTACK_DNS_SERVICE_PORT": "53", "HAYSTACK_WEB_PORT": "tcp://10.96.0.8:443", "HAYSTACK_WEB_PORT_443_TCP": "tcp://10.96.0.8:443",
    "HAYSTACK_DEBUG": "1", "HAYSTACK_SOMETHING": "x",
}  # fmt: skip


def test_what_links_and_orchestrators_inject_never_stops_a_start_and_is_warned_of(monkeypatch, capsys, starts):
    for name, text in INJECTED.items():
        monkeypatch.setenv(name, text)
    monkeypatch.setenv("DOCKER_BUILDKIT", "1")
    assert ended(["run"], capsys) == (0, [])
    assert len(starts) == 1
    assert set(unknown(os.environ)) == set(INJECTED)
    assert misspelt({"HAYSTACK_PORT": "8080"}) is None
    assert "HAYSTACK_PORT" in unknown({"HAYSTACK_PORT": "8080"})


@pytest.mark.parametrize(
    ("name", "right"),
    [("LISTEN", "BIND"), ("LISTEN_ADDR", "BIND"), ("DOMAIN", "ORIGIN"), ("THREADS", "WORKERS"), ("RESOLVERS", "DNS_NAMESERVERS")],
)
def test_what_others_call_a_setting_is_only_warned_of_with_its_name_here(name, right):
    assert misspelt({f"HAYSTACK_{name}": "x"}) is None
    assert unknown({f"HAYSTACK_{name}": "x"}) == {f"HAYSTACK_{name}": f"HAYSTACK_{right}"}


def test_a_docker_variable_is_nobodys_but_dockers_so_a_misspelt_one_is_only_warned_of():
    assert misspelt({"DOCKER_HOSTS": "x"}) is None
    assert unknown({"DOCKER_HOSTS": "x", "DOCKER_CONTEXT": "y"}) == {"DOCKER_HOSTS": "DOCKER_HOST"}


def test_check_tells_of_unknown_variables(monkeypatch, capsys):
    monkeypatch.setenv("HAYSTACK_SOMETHING", "1")
    monkeypatch.setattr(engines, "trouble", lambda _settings, _host: None)
    assert commands.main(["check"]) == 0
    assert "HAYSTACK_SOMETHING" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "--htp-port", "80"], "no flag --htp-port: did you mean --http-port?"),
        (["run", "--htp-port=80"], "no flag --htp-port: did you mean --http-port?"),
        (["run", "--qqqq"], "no flag --qqqq: `haystack help run` lists them"),
        (["rnu"], "no command 'rnu': did you mean run?"),
        (["qqqq"], "no command 'qqqq': the commands are run, demo, check, healthcheck, help, version"),
    ],
)
def test_an_unknown_flag_or_command_is_answered_with_the_nearest_one(words, said, capsys):
    assert ended(words, capsys) == (2, [f"haystack: {said}"])


def test_a_flag_before_any_command_is_answered_with_the_line_that_was_meant(capsys):
    assert ended(["--http-port=90", "--origin", "x"], capsys) == (
        2,
        ["haystack: a command comes before the flags: haystack run --http-port=90 --origin x"],
    )


@pytest.mark.parametrize("word", ["--docker-key=s3cret", "--docker-host=tcp://me:s3cret@h"])
def test_a_secret_before_any_command_is_not_repeated(word, capsys):
    status, lines = ended([word], capsys)
    assert (status, len(lines)) == (2, 1)
    assert "s3cret" not in lines[0]


@pytest.mark.parametrize(
    ("field", "text", "same"),
    [
        ("allow", "10.0.0.0/8 192.168.0.0/16", "10.0.0.0/8,192.168.0.0/16"), ("bind", "127.0.0.1 ::1", "127.0.0.1,::1"),
        ("dns_nameservers", "1.1.1.1; 8.8.8.8:53", "1.1.1.1,8.8.8.8:53"), ("address", "10.0.0.1,\t10.0.0.2", "10.0.0.1,10.0.0.2"),
        ("trusted_proxies", "10.0.0.0/8 fd00::/8", "10.0.0.0/8,fd00::/8"), ("docker_host", "tcp://a:1 tcp://b:2", "tcp://a:1,tcp://b:2"),
        ("admin_allow", "none", "off"), ("dns_recursion", "no", "off"), ("allow", "False", "off"), ("allow", "all", "any"),
        ("expose", "labeled", "labelled"), ("admin", ":9000", "0.0.0.0:9000"),
    ],
)  # fmt: skip
def test_lists_and_words_are_taken_as_people_write_them(field, text, same):
    assert getattr(load({field: text}), field) == getattr(load({field: same}), field)


@pytest.mark.parametrize(
    ("host", "more", "warned"),
    [
        ("tcp://10.0.0.1:2375", {}, True), ("http://engine:2375", {}, True), ("tcp://127.0.0.1:2375", {}, True),
        ("unix:///var/run/docker.sock", {}, False), ("https://10.0.0.1:2376", {}, False),
        ("ssh://me@10.0.0.1", {}, False),
        ("tcp://10.0.0.1:2376", {"docker_tls_verify": "1"}, False), ("tcp://10.0.0.1:2375", {"static": "/dev/null"}, False),
    ],
)  # fmt: skip
def test_an_engine_without_tls_is_warned_of(host, more, warned, tmp_path):
    settings = load({"docker_host": host, "state_dir": str(tmp_path), **more})
    found = [line for line in commands.checks.warnings(settings) if line.startswith("DOCKER_HOST: ")]
    assert len(found) == warned
    assert all(host in line and "socket proxy" in line for line in found)


@pytest.mark.parametrize(("domain", "warned"), [("haystack", True), ("a.Haystack", True), ("myhaystack", False), ("corp.example", False)])
def test_a_domain_that_is_haystacks_own_is_warned_of(domain, warned, tmp_path):
    settings = load({"dns_forward": f"{domain}=10.0.0.2", "state_dir": str(tmp_path)})
    assert [line.split(":")[0] for line in commands.checks.warnings(settings)] == ["HAYSTACK_DNS_FORWARD"] * warned


def test_an_address_that_this_machine_has_not_is_told_as_that(tmp_path):
    error = OSError(99, "tcp 203.0.113.7 port 80: Cannot assign requested address")
    told = commands.defaults.port_complaint(load({"bind": "203.0.113.7"}), ("http_port",), error)
    assert told == "can't listen on 203.0.113.7: this machine, or container, has no such address: set HAYSTACK_BIND to one that it has"


@pytest.mark.parametrize("command", ["run", "check"])
def test_two_equal_ports_are_refused(command, capsys, monkeypatch, starts):
    monkeypatch.setattr(engines, "trouble", lambda _settings, _host: None)
    status, lines = ended([command, "--ssh-port", "80"], capsys)
    assert (status, len(lines), starts) == (2, 1, [])
    assert lines[0].startswith("haystack: HAYSTACK_HTTP_PORT and HAYSTACK_SSH_PORT are both 80: ")


def test_ports_of_which_the_kernel_chooses_any_are_not_equal(capsys, starts):
    assert ended(["run", "--http-port", "0", "--ssh-port", "0"], capsys) == (0, [])


@pytest.mark.parametrize(
    ("field", "text", "why"),
    [
        ("static", "", "is a folder"), ("static", "none.toml", "No such file"), ("ssh_authorized_keys_file", "none", "No such file"),
        ("docker_cert_path", "none", "no such folder"), ("docker_cert_path", "file", "is not a folder"),
        ("docker_key_file", "none", "No such file"),
    ],
)  # fmt: skip
def test_a_file_that_is_not_there_is_told_at_start(field, text, why, tmp_path, capsys, starts):
    (tmp_path / "file").write_text("")
    path = str(tmp_path / text)
    status, lines = ended(["run", flag(field), path] if field not in SECRET else ["run"], capsys)
    assert (status, len(lines), starts) == (2, 1, [])
    assert why in lines[0]
    assert path in lines[0]


def test_a_folder_of_certificates_without_any_is_told_where_an_engine_needs_them(tmp_path, capsys, starts):
    words = ["run", "--docker-cert-path", str(tmp_path), "--state-dir", str(tmp_path)]
    assert ended(words, capsys) == (0, [])
    status, lines = ended([*words, "--docker-host", "tcp://10.0.0.1"], capsys)
    assert (status, len(lines)) == (2, 1)
    assert "holds none of ca.pem, cert.pem, key.pem" in lines[0]
    (tmp_path / "ca.pem").write_text(PEM)
    status, lines = ended([*words, "--docker-host", "tcp://10.0.0.1"], capsys)
    assert (status, len(lines)) == (2, 1)
    assert "ca.pem" in lines[0]
    assert "c2VjcmV0" not in lines[0]


def test_keys_that_are_none_are_told_at_start(tmp_path, capsys, starts):
    """A path where the text was meant, or the other way round, locks everybody out."""
    (tmp_path / "keys").write_text(KEY)
    status, lines = ended(["run", "--ssh-authorized-keys", str(tmp_path / "keys")], capsys)
    assert (status, len(lines)) == (2, 1)
    assert "HAYSTACK_SSH_AUTHORIZED_KEYS_FILE takes a path" in lines[0]
    status, lines = ended(["run", "--ssh-authorized-keys-file", KEY], capsys)
    assert (status, len(lines)) == (2, 1)
    assert "HAYSTACK_SSH_AUTHORIZED_KEYS takes the text" in lines[0]


@pytest.mark.parametrize("field", ["ssh_authorized_keys", "ssh_authorized_keys_file"])
def test_a_private_key_in_the_place_of_the_public_one_is_told_and_not_repeated(field, tmp_path, capsys, monkeypatch, starts):
    text = "-----BEGIN OPENSSH PRIVATE KEY-----\nc2VjcmV0\n-----END OPENSSH PRIVATE KEY-----\n"
    (tmp_path / "id").write_text(text)
    monkeypatch.setenv(variable(field), str(tmp_path / "id") if field.endswith("file") else text)
    status, lines = ended(["run"], capsys)
    assert (status, len(lines), starts) == (2, 1, [])
    assert "this is a private key: the public one is in the file beside it whose name ends in .pub" in lines[0]
    assert "c2VjcmV0" not in lines[0]


@pytest.mark.parametrize("name", otel.FILES)
def test_a_certificate_of_the_exporter_that_can_not_be_read_is_told_at_start(name, capsys, monkeypatch, starts):
    monkeypatch.setenv(name, "/none.pem")
    assert ended(["run"], capsys)[0] == 0, "nothing is exported"
    monkeypatch.setenv(otel.ENDPOINTS[1], "https://collector:4318")
    status, lines = ended(["run"], capsys)
    assert (status, len(starts)) == (2, 1)
    assert lines == [f"haystack: {name}: '/none.pem' can't be used: No such file or directory; it takes the path of a PEM file"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_a_client_key_of_an_engine_that_is_for_somebody_else_is_named_with_the_mend(tmp_path, capsys, starts):
    open_to_all(tmp_path)
    for name in ("ca.pem", "cert.pem", "key.pem"):
        (tmp_path / name).write_text("x")
    key = tmp_path / "key.pem"
    key.chmod(0o600)
    with acting_as(Account("nobody", 65534, 65534)):
        status, lines = ended(["run", "--docker-cert-path", str(tmp_path), "--docker-host", "tcp://h:2376"], capsys)
    assert (status, starts) == (2, [])
    why = f"Permission denied for user 65534: to mend it, chgrp 65534 {key}; chmod g+r {key}"
    assert lines == [f"haystack: DOCKER_CERT_PATH: {key} can't be read: {why}"]


@pytest.mark.parametrize("words", ["nonsense", f"no-such-option {KEY}", 'from="laptop" ' + KEY])
def test_a_bad_line_of_the_keys_is_told_at_start(words, tmp_path, capsys, monkeypatch, starts):
    """Whoever it is meant for would find out at the login, and by no word of the client's."""
    path = tmp_path / "keys"
    path.write_text(f"# mine\n{KEY}\n{words}\n")
    for command in ("run", "check"):
        status, lines = ended([command, "--ssh-authorized-keys-file", str(path)], capsys)
        assert (status, starts) == (2, [])
        assert lines[-1].startswith(f"haystack: HAYSTACK_SSH_AUTHORIZED_KEYS_FILE: {path} line 3: ")
    monkeypatch.setenv("HAYSTACK_SSH_AUTHORIZED_KEYS", path.read_text())
    status, lines = ended(["run"], capsys)
    assert (status, len(lines), starts) == (2, 1, [])
    assert lines[0].startswith("haystack: HAYSTACK_SSH_AUTHORIZED_KEYS line 3: ")
    assert KEY.split()[1] not in lines[0]


def test_a_key_that_has_expired_does_not_keep_a_start_from_happening(tmp_path, capsys, starts):
    """Else the first restart after that day would fail."""
    (tmp_path / "keys").write_text(f'expiry-time="20200101Z" {KEY}\n')
    assert ended(["run", "--ssh-authorized-keys-file", str(tmp_path / "keys")], capsys) == (0, [])


def test_a_state_folder_that_can_not_be_written_is_refused_where_it_was_asked_for(tmp_path, capsys, starts, monkeypatch):
    (tmp_path / "file").write_text("")
    status, lines = ended(["run", "--state-dir", str(tmp_path / "file" / "b")], capsys)
    assert (status, len(lines), starts) == (2, 1, [])
    assert "file is not a folder" in lines[0]
    status, lines = ended(["run", "--state-dir", "/proc/haystack"], capsys)  # which root may write, if the permissions were all
    assert (status, len(lines), starts) == (2, 1, [])
    assert "at /proc, for user" in lines[0]
    assert ended(["run", "--state-dir", str(tmp_path / "a" / "b")], capsys) == (0, [])
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_the_usual_state_folder_that_can_not_be_written_is_warned_of(monkeypatch, capsys, starts):
    """As in a container that runs as another user: everything but the host key's permanence works."""
    monkeypatch.setattr(commands.checks, "unwritable", lambda _folder: "permission denied")
    assert ended(["run"], capsys) == (0, [])
    (line,) = commands.checks.warnings(load())
    assert line.startswith("HAYSTACK_STATE_DIR: /var/lib/haystack can't be written: permission denied")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("tcp:/1.2.3.4", "tcp:// has two slashes, as in tcp://1.2.3.4:2375"),
        ("tcp:1.2.3.4:2375", "tcp:// has two slashes, as in tcp://1.2.3.4:2375"),
        ("1.2.3.4:2375", "it begins with no scheme: tcp://1.2.3.4:2375"),
        ("engine", "it begins with no scheme: tcp://engine"),
        ("/var/run/docker.sock", "it begins with no scheme: unix:///var/run/docker.sock"),
        ("unix:/var/run/docker.sock", "unix:// is followed by an absolute path, as in unix:///var/run/docker.sock"),
        ("unix://var/run/docker.sock", "unix:// is followed by an absolute path, as in unix:///var/run/docker.sock"),
        ("unix://", "unix:// is followed by an absolute path, as in unix:///var/run/docker.sock"),
        ("ssh:/me@host", "ssh:// has two slashes, as in ssh://host"),
        ("ssh://me:secret@host", "a password in it is no way in: SSH knows its users by keys"),
        ("ssh://host?x=1", "nothing follows but the path of the engine's socket"),
        ("npipe:////./pipe/docker_engine", "npipe:// is not supported: "),
        ("fd://", "fd:// is not supported"),
        ("tpc://host:2375", "there is no scheme tpc://: did you mean tcp://?"),
        ("tcp://", "it names no host"),
        ("tcp://:2375", "it names no host"),
        ("tcp://host:", "has no port from 1 to 65535"),
        ("tcp://host:x", "has no port from 1 to 65535"),
        ("tcp://host:0", "has no port from 1 to 65535"),
        ("tcp://[::1:2375", "it names no host"),
        ("tcp://me:secret@host:2375", "a user and a password in it are no way in: an engine knows its clients by certificates"),
        ("tcp://host:2375?x=1", "nothing follows its port"),
        ("tcp://host:2375#x", "nothing follows its port"),
    ],
)
def test_a_malformed_engine_is_answered_with_what_is_wrong(text, why, capsys, monkeypatch, starts):
    monkeypatch.setenv("DOCKER_HOST", text)
    status, lines = ended(["run"], capsys)
    assert (status, len(lines), starts) == (2, 1, [])
    assert why in lines[0]


@pytest.mark.parametrize(
    ("host", "more", "url", "tls"),
    [
        ("tcp://h", {}, "tcp://h:2375", False), ("tcp://h", {"docker_tls_verify": "1"}, "tcp://h:2376", True),
        ("tcp://h", {"docker_cert_path": "/"}, "tcp://h:2376", True), ("http://h", {}, "http://h:2375", False),
        ("https://h/", {}, "https://h:2376", True), ("tcp://[fd00::1]", {}, "tcp://[fd00::1]:2375", False),
        ("tcp://u@h", {}, "tcp://u@h:2375", False), ("tcp://h:99", {}, "tcp://h:99", False),
        ("tcp://h/v1", {}, "tcp://h:2375/v1", False),
    ],
)  # fmt: skip
def test_an_engine_without_a_port_has_the_default_one(host, more, url, tls, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", host)
    settings = load(more)
    assert settings.docker_host == (url,)
    assert TlsOptions.of(settings).wanted(url) == tls


@pytest.mark.parametrize(
    ("field", "text", "value"),
    [
        ("trace", "yes", True), ("trace", "Y", True), ("trace", "no", False), ("admin", "ON", True), ("trace", "t", True),
        ("max_head", "64k", 65536), ("max_head", "2KiB", 2048), ("max_head", "4 kb", 4096), ("answer_memory", "256M", 1 << 28),
        ("answer_memory", "1GiB", 1 << 30), ("kept_body", "1m", 1 << 20), ("body_rate", "1k", 1024), ("body_rate", "off", 0),
        ("timeout", "1h30m", 5400.0), ("timeout", "1m 30s", 90.0), ("timeout", "90 seconds", 90.0), ("timeout", "2min", 120.0),
        ("timeout", "1d", 86400.0), ("timeout", "1.5S", 1.5), ("wait", "off", 0.0), ("pool_age", "never", None),
        ("dns_ttl", "1m", 60), ("dns_ttl", "5s", 5), ("dns_ttl", "0", 0),
        ("log_level", "warn", "warning"), ("log_level", "ERR", "error"), ("log_level", "fatal", "critical"),
        ("log_format", "JSON", "json"), ("access_log", "Common", "common"), ("access_log", "no", "off"),
    ],
)  # fmt: skip
def test_words_are_taken_as_people_write_them(field, text, value, monkeypatch):
    monkeypatch.setenv(variable(field), text)
    if value is None:
        with pytest.raises(Exception, match="not a duration"):
            load()
    else:
        assert getattr(load(), field) == value


def test_a_port_that_an_orchestrator_has_set_is_told_as_such(monkeypatch, capsys, starts):
    monkeypatch.setenv("HAYSTACK_HTTP_PORT", "tcp://10.0.0.7:80")
    status, lines = ended(["run"], capsys)
    assert (status, len(lines)) == (2, 1)
    assert "enableServiceLinks" in lines[0]


def test_a_port_that_is_taken_is_one_line(tmp_path):
    """Not known before the start; told by it."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = str(taken.getsockname()[1])
        ports = ["--http-port", number, *(word for name in ("http-alt", "dns", "ssh") for word in (f"--{name}-port", "0"))]
        words = [sys.executable, "-m", "haystack", "demo", "--bind", "127.0.0.1", "--state-dir", str(tmp_path), *ports]
        done = subprocess.run(words, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 1
    assert [line for line in done.stderr.splitlines() if "Traceback" in line or "haystack: can't listen" in line] == [
        line for line in done.stderr.splitlines() if f"haystack: can't listen on port {number}" in line
    ]


@pytest.mark.parametrize("origin", ["onion", "x.invalid", "10.in-addr.arpa", "resolver.arpa"])
def test_an_origin_whose_names_are_never_asked_for_ends_the_start(origin, monkeypatch, capsys, starts):
    monkeypatch.setenv("HAYSTACK_ORIGIN", origin)
    status, lines = ended(["run"], capsys)
    assert (status, len(lines), starts) == (2, 1, [])
    assert lines[0].startswith(f"haystack: HAYSTACK_ORIGIN: {origin!r} can't be used: ")


def test_a_field_that_is_none_ends_the_start_with_the_nearest_right_one(monkeypatch, capsys, starts):
    monkeypatch.setenv("HAYSTACK_ACCESS_LOG_FIELDS", "time,stauts")
    status, lines = ended(["run"], capsys)
    assert (status, len(lines), starts) == (2, 1, [])
    assert "there is no field 'stauts', did you mean status?" in lines[0]


def test_a_variable_of_opentelemetry_that_can_not_be_used_ends_the_start(monkeypatch, capsys, starts):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", "grpc")
    status, lines = ended(["run"], capsys)
    assert (status, len(lines), starts) == (2, 1, [])
    assert lines[0].startswith("haystack: OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' can't be used; it takes http/protobuf")


@pytest.mark.parametrize(("form", "count"), [("off", 1), ("common", 1), ("combined", 1), ("json", 0), ("ecs", 0)])
def test_fields_that_no_line_has_are_warned_of(form, count, monkeypatch):
    monkeypatch.setenv("HAYSTACK_ACCESS_LOG", form)
    monkeypatch.setenv("HAYSTACK_ACCESS_LOG_FIELDS", "time")
    assert len([line for line in checks.warnings(load()) if line.startswith("HAYSTACK_ACCESS_LOG_FIELDS ")]) == count


@pytest.mark.parametrize(
    ("origin", "count"), [("haystack", 0), ("localhost", 0), ("x.home.arpa", 0), ("lab.local", 1), ("com", 1), ("de", 1)]
)
def test_an_origin_that_clients_know_otherwise_is_warned_of(origin, count, monkeypatch):
    monkeypatch.setenv("HAYSTACK_ORIGIN", origin)
    found = [line for line in checks.warnings(load()) if line.startswith(f"HAYSTACK_ORIGIN={origin}: ")]
    assert len(found) == count


@pytest.mark.parametrize(
    ("more", "count"),
    [({}, 1), ({"tls_local": "on"}, 0), ({"certs": "/srv/certs"}, 0), ({"acme": "letsencrypt"}, 0), ({"https": "on"}, 0)],
)
def test_a_redirect_to_https_that_nothing_listens_for_is_warned_of(more, count):
    found = list(checks.warnings(load({"state_dir": "/srv/haystack", "https": "redirect", **more})))
    assert [line.partition(": ")[0] for line in found] == ["HAYSTACK_HTTPS=redirect has no effect"] * count


def test_a_state_folder_that_workers_may_read_is_told():
    within = Path(sys.prefix) / "state"
    (line,) = checks.warnings(load({"state_dir": str(within)}))
    assert line.startswith(f"HAYSTACK_STATE_DIR: {within} is within ")
    assert not list(checks.warnings(load({"state_dir": "/srv/haystack"})))
