"""What the command line answers, and with which status."""

import contextlib
import socket
import subprocess
import sys

import pytest

from haystack import __version__, cli
from haystack.command_line import commands
from haystack.settings.settings import Settings, load, variable
from haystack.startup import bootstrap, defaults, engines

NOWHERE = "tcp://127.0.0.1:1"


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch):
    for field in Settings.model_fields:
        monkeypatch.delenv(variable(field), raising=False)


@pytest.fixture
def started(monkeypatch):
    calls = []
    for name in ("run", "demo"):
        monkeypatch.setitem(commands.COMMANDS, name, lambda settings, name=name: calls.append((name, settings)) or 0)
        monkeypatch.setattr(commands, name, commands.COMMANDS[name])
    return calls


def status(words):
    try:
        return cli.main(words)
    except SystemExit as end:
        return end.code


def as_installed(words, before="pass"):
    code = f"import atexit, sys; {before}; from haystack.cli import command; sys.argv = ['haystack', *{words!r}]; command()"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_the_command_ends_at_once_with_all_it_has_said_and_its_status():
    """The interpreter is not taken apart: that takes a second of the ten that `docker stop` gives."""
    ended = as_installed(["version"], before="atexit.register(print, 'taken apart')")
    assert (ended.stdout, ended.returncode) == (f"haystack {__version__}\n", 0)
    asked = as_installed(["healthcheck", "--no-such-flag"])
    refused = as_installed(["run", "--no-such-flag"])
    assert (asked.returncode, refused.returncode) == (2, 2)
    assert "usage: haystack healthcheck" in asked.stderr
    assert "--no-such-flag" in refused.stderr


def test_version(capsys):
    assert status(["--version"]) == 0
    assert capsys.readouterr().out == f"haystack {__version__}\n"


def test_no_command_shows_the_help_and_fails(capsys):
    assert status([]) == 2
    shown = capsys.readouterr().err
    assert "run" in shown
    assert "auto" not in shown


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run", "--no-such-flag"], "--no-such-flag"), (["run", "--http", "80"], "--http"), (["walk"], "walk"),
        (["run", "80"], "80"), (["run", "--http-port"], "--http-port"), (["run", "--http-port", "x"], "'x'"),
    ],
)  # fmt: skip
def test_a_bad_command_line_is_one_line_and_status_2(capsys, words, said):
    assert status(words) == 2
    line = capsys.readouterr().err
    assert line.count("\n") == 1
    assert said in line


def test_a_bad_variable_is_one_line_and_status_2(capsys, monkeypatch):
    monkeypatch.setenv("HAYSTACK_DNS_PORT", "99999")
    assert status(["run"]) == 2
    said = capsys.readouterr().err
    assert said == "haystack: HAYSTACK_DNS_PORT: '99999' can't be used: out of range; it takes a port, 0 to 65535 (0: any free one)\n"


def test_flags_reach_the_settings(started):
    assert status(["run", "--http-port", "81", "--origin=dev", "--trace", "--admin", "off"]) == 0
    [(name, settings)] = started
    assert name == "run"
    assert (settings.http_port, settings.origin, settings.trace, settings.admin) == (81, "dev", True, False)


def test_check_masks_the_key_and_says_which_engine_is_silent(capsys, monkeypatch):
    pem = "-----BEGIN X-----\nc2VjcmV0\n-----END X-----"
    monkeypatch.setenv("DOCKER_KEY", pem)
    monkeypatch.setenv("DOCKER_CERT", pem)
    silent = "tcp://127.0.0.1:2375"  # the port at which TLS is not spoken
    monkeypatch.setattr(engines, "trouble", lambda _settings, _host: "connection refused")
    assert status(["check", "--docker-host", silent]) == 1
    shown = capsys.readouterr().out
    assert "c2VjcmV0" not in shown
    assert f"engine {silent}: connection refused" in shown
    assert "HAYSTACK_ORIGIN=haystack\n" in shown


def test_check_masks_a_password_in_a_url(capsys, monkeypatch):
    monkeypatch.setenv("DOCKER_HOST", NOWHERE.replace("://", "://s3cret@"))
    assert status(["check"]) == 1
    shown = capsys.readouterr()
    assert "s3cret" not in shown.out + shown.err
    assert f"engine {NOWHERE.replace('://', '://***@')}: " in shown.out


@pytest.mark.parametrize("words", [["--docker-key", "s3cret"], ["--docker-key=s3cret"], ["--docker-host", "tcp://s3cret@h:1"]])
def test_no_flag_takes_a_secret(capsys, words):
    """Every user of the machine can read the list of processes."""
    assert status(["run", *words]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "process list" in said
    assert "s3cret" not in said


def test_check_of_a_static_file_needs_the_file(capsys, tmp_path):
    assert status(["check", "--static", str(tmp_path / "none.toml")]) == 2
    assert "No such file" in capsys.readouterr().err
    (tmp_path / "some.toml").write_text('[[container]]\nname = "a"\nimage = "web"\naddress = "nowhere"\n')
    assert status(["check", "--static", str(tmp_path / "some.toml")]) == 1
    told = capsys.readouterr().out
    assert "some.toml: 1 container\n" in told
    assert "some.toml: a: address: 'nowhere' is no IP address" in told
    (tmp_path / "some.toml").write_text('[[container]]\nname = "a"\nimage = "web"\naddress = "10.0.0.1"\n')
    assert status(["check", "--static", str(tmp_path / "some.toml")]) == 0


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["version", "x"], "`haystack version` takes no argument"),
        (["help", "versoin"], "did you mean version?"),
        (["runn"], "did you mean run?"),
    ],
)
def test_a_command_that_can_not_be_is_told_by_what_is_wrong_with_it(capsys, words, says):
    assert status(words) == 2
    assert says in capsys.readouterr().err


@pytest.mark.parametrize("word", ["version", "help", "healthcheck"])
def test_help_knows_all_commands_of_its_list(capsys, word):
    assert status(["help", word]) == 0
    assert capsys.readouterr().out.startswith(f"haystack {word}: ")


def test_check_of_a_static_file_reads_it(capsys, tmp_path):
    (tmp_path / "bad.toml").write_text("foo = [")
    assert status(["check", "--static", str(tmp_path / "bad.toml")]) == 1
    assert "bad.toml: not TOML: " in capsys.readouterr().out


def test_auto_runs_the_demo_where_no_engine_answers(started):
    assert status(["auto", "--docker-host", NOWHERE]) == 0
    assert [name for name, _ in started] == ["demo"]


def test_auto_runs_where_an_engine_answers(started, monkeypatch):
    monkeypatch.setattr(engines, "trouble", lambda _settings, _host: None)
    assert status(["auto"]) == 0
    assert [name for name, _ in started] == ["run"]


def ports_of(settings):
    return settings.http_port, settings.http_alt_port, settings.dns_port, settings.ssh_port


def test_a_port_that_can_not_be_had_is_replaced_by_its_unprivileged_one(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert not defaults.bindable("127.0.0.1", taken.getsockname()[1])
    monkeypatch.setattr(defaults, "bindable", lambda _address, port, _kind=None: port != 80)
    assert ports_of(defaults.usable_ports(load())) == (8000, 8080, 53, 22)
    monkeypatch.setattr(defaults, "bindable", lambda _address, port, _kind=None: port >= 1024)
    assert ports_of(defaults.usable_ports(load())) == (8000, 8080, 5300, 2222)


def test_a_port_that_somebody_set_stays_and_is_given_to_nothing_else(monkeypatch):
    monkeypatch.setattr(defaults, "bindable", lambda _address, port, _kind=None: port >= 1024)
    assert ports_of(defaults.usable_ports(load({"ssh_port": "22", "http_port": "8080"}))) == (8080, 0, 5300, 22)


def test_where_the_unprivileged_port_is_taken_too_any_free_one_will_do(monkeypatch):
    monkeypatch.setattr(defaults, "bindable", lambda _address, _port, _kind=None: False)
    assert ports_of(defaults.usable_ports(load())) == (0, 0, 0, 0)


def test_the_demo_says_which_ports_are_others_than_one_would_expect(monkeypatch, capsys):
    started = []
    monkeypatch.setattr(bootstrap, "begun", lambda *_, **_more: contextlib.nullcontext([]))
    monkeypatch.setattr("haystack.command_line.running.main", lambda settings, **_: started.append(settings) or 0)
    monkeypatch.setattr(defaults, "bindable", lambda _address, port, _kind=None: port not in (80, 22, 2222))
    assert status(["demo"]) == 0
    assert ports_of(started[0]) == (8000, 8080, 53, 0)
    assert capsys.readouterr().err == (
        "haystack: port 80 is not available, so HAYSTACK_HTTP_PORT is 8000\n"
        "haystack: port 22 is not available, so HAYSTACK_SSH_PORT is any free port\n"
    )


def test_the_demo_takes_a_folder_of_the_user_where_the_usual_one_can_not_be_written(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    monkeypatch.setattr(defaults, "writable", lambda _folder: False)
    assert defaults.demo_settings(load()).state_dir == tmp_path / "haystack"


def test_a_folder_that_is_not_there_yet_is_judged_by_its_parents(tmp_path):
    assert defaults.writable(tmp_path / "a" / "b")
    (tmp_path / "file").write_text("")
    assert not defaults.writable(tmp_path / "file" / "b")
