import json
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from haystack.console import welcome
from haystack.console.command import Context, Leave, LogLevel, Trace
from haystack.console.commands import dig
from haystack.console.shell import COMMANDS, Call, completions, read, run
from haystack.loop.turns import at_once
from haystack.model import ports
from haystack.model.records import Container, Listing, Problem
from haystack.model.services import Override, Service
from tests.fakes.state import ENDPOINT, NAME, picture, state
from tests.oracles.snapshot import build


@pytest.mark.parametrize("line", ["services", "containers", "networks", "engines", "endpoints", "help", "version", "metrics"])
def test_a_list_says_something_and_succeeds(line):
    result = run(state(), [line])
    assert result.status == 0
    assert result.text


@pytest.mark.parametrize("line", ["services", "containers", "networks", "engines", "endpoints"])
def test_json_is_json(line):
    result = run(state(), [line, "--json"])
    assert result.status == 0
    assert json.loads(result.text)


def told(*words):
    result = run(state(), [*words, "--json"])
    return result.status, json.loads(result.text)


def test_a_service_is_its_part_of_the_api_for_scripts():
    shown = state(snapshot=picture())
    shown.snapshot.services["other.services.haystack"] = Service(name="other.services.haystack", endpoints=(ENDPOINT,))
    every, own = (json.loads(run(shown, words).text) for words in (["services", "--json"], ["service", "nginx", "--json"]))
    options = [each.pop("options") for each in own]
    assert (own, len(every)) == ([each for each in every if each["name"] == NAME], 2)
    assert options[0][0]["hosts"] == [NAME]
    assert options[0][0]["options"]["timeout"] == {"value": "60s", "label": False}
    assert run(state(), ["service", "nowhere", "--json"]).status == 1


def test_an_explanation_is_that_of_the_api_for_scripts():
    status, found = told("explain", f"http://{NAME}/x")
    assert (status, found["service"], found["rule"]) == (0, NAME, {"host": NAME, "path": "/"})
    assert [each["id"] for each in found["endpoints"]] == [ENDPOINT.id]
    assert found["lines"][0] == f"service {NAME}, by host {NAME} and path prefix /"
    status, found = told("explain", "nobody.example")
    assert (status, found["service"], found["lines"]) == (1, None, ["no service claims nobody.example/: 404"])


def test_an_answer_of_dns_is_that_of_the_api_for_scripts():
    status, found = told("dig", NAME)
    assert (status, found["name"], found["type"], found["records"]) == (0, NAME, "A", [f"{NAME}. 5 IN A 127.0.0.1"])
    assert found["lines"] == [";; NOERROR, 1 answer", *found["records"]]
    status, found = told("dig", "nowhere", "aaaa")
    assert (status, found["type"], found["records"]) == (1, "AAAA", [])


@pytest.mark.parametrize("name", ["nginx", "NGINX", NAME, NAME + "."])
def test_a_service_is_found_by_any_form_of_its_name(name):
    result = run(state(), ["service", name])
    assert result.status == 0
    assert "172.17.0.2:80" in result.text


def gitea():
    """One that exposes 22 and 3000, which IANA knows for other things than HTTP, and one that exposes nothing."""
    numbers = tuple(ports.named(n, "tcp") for n in (22, 3000))
    usual = {"engine": "E", "address": "172.17.0.2"}
    one = Container(id="1" * 64, name="trial_p_gitea_1", services=("gitea",), ports=numbers, **usual)
    idle = Container(id="2" * 64, name="backup", services=("backup",), **usual)
    return state(snapshot=build(1, "haystack", {"x": Listing(containers=(one, idle))}, 1.0))


@pytest.mark.parametrize("words", [["service", "gitea"], ["explain", "http://gitea.services.haystack/"]])
def test_a_service_none_of_whose_ports_speaks_http_names_the_label(words):
    text = run(gitea(), words).text
    assert "none of its ports is known to speak HTTP (22/tcp, 3000/tcp)" in text
    assert "haystack.port=3000" in text
    assert "trial_p_gitea_1 (trial-p-gitea-1 in DNS)" in text


def test_a_filter_leaves_what_is_wrong_with_those_it_shows():
    assert "\nbackup: it exposes no port" in run(gitea(), ["containers", "backup"]).text
    assert "it exposes no port" not in run(gitea(), ["containers", "gitea"]).text


def test_a_container_without_ports_is_listed_as_such_and_by_both_names():
    lines = run(gitea(), ["containers"]).text.splitlines()
    (idle,) = (line.split("   ") for line in lines if "222222222222" in line)
    assert "none" in [cell.strip() for cell in idle]
    assert any(line.startswith("backup: it exposes no port") for line in lines)
    assert any("trial_p_gitea_1 (trial-p-gitea-1 in DNS)" in line for line in lines)


def test_the_api_says_the_same_for_the_page():
    containers = json.loads(run(gitea(), ["containers", "--json"]).text)
    assert [c["dns"] for c in containers.values()] == ["trial-p-gitea-1.containers.haystack", "backup.containers.haystack"]
    assert [bool(c["unserved"]) for c in containers.values()] == [False, True]
    services = json.loads(run(gitea(), ["services", "--json"]).text)
    assert {s["container_dns"] for s in services} == {"trial-p-gitea-1.containers.haystack"}
    assert all("haystack.port=3000" in s["hint"] for s in services)
    assert json.loads(run(state(), ["services", "--json"]).text)[0]["hint"] is None


@pytest.mark.parametrize("words", [["service", "nginx"], ["endpoints"], ["explain", f"http://{NAME}/"]])
def test_a_weight_of_an_operators_is_told_wherever_its_endpoint_is(words):
    seen = picture()
    made = Override(scope="endpoint", target=ENDPOINT.id, name="web:80", weight=7, by="ann", why="canary", at=1.0, until=1_800_000_000.0)
    seen.services = {NAME: Service(name=NAME, endpoints=(replace(ENDPOINT, weight=7, overrides=(made,)),))}
    assert "ready: running; weight 7 by ann: canary, until 2027-01-15 08:00:00Z" in run(state(snapshot=seen), words).text


def test_an_unknown_service_names_the_nearest():
    result = run(state(), ["service", "ngnix"])
    assert result.status == 1
    assert "did you mean nginx?" in result.text


def test_an_unknown_command_names_the_nearest_in_one_line():
    result = run(state(), ["servces"])
    assert (result.status, result.text) == (2, "no command 'servces'; did you mean services?")


@pytest.mark.parametrize(
    "words",
    [["service"], ["services", "--x"], ["trace"], ["trace", "maybe"], ["log", "loud"], ["dig"], ["exit", "now"], ["dig", NAME, "BLA"]],
)
def test_wrong_use_says_the_usage(words):
    result = run(state(), words)
    assert result.status == 2
    assert "usage: " in result.text


@pytest.mark.parametrize(
    "line",
    [
        "trace on",
        "trace(true)",
        "trace(True)",
        "haystack.trace(True)",
        "TRACE ON",
        "trace( true );",
        "haystack:trace(true)",
        "haystack:trace(true).",
    ],
)
def test_every_form_of_trace_on(line):
    assert run(state(), line.split()).effect == Trace(on=True)


@pytest.mark.parametrize("line", ["trace on nginx", "trace(true, nginx)", "haystack.trace(True, 'nginx')"])
def test_trace_of_one_service_takes_its_whole_name(line):
    assert run(state(), line.split()).effect == Trace(on=True, service=NAME)


@pytest.mark.parametrize("line", ["trace off", "trace(false)", "haystack.trace(False)"])
def test_every_form_of_trace_off(line):
    assert run(state(), line.split()).effect == Trace(on=False)


@pytest.mark.parametrize("line", ["exit", "exit()", "quit", "quit()"])
def test_every_form_of_leaving(line):
    assert run(state(), line.split()).effect == Leave()


def test_log_asks_for_the_level():
    assert run(state(), ["log", "DEBUG"]).effect == LogLevel("debug")


def test_dig_answers_for_the_address_by_which_the_asker_came():
    result = run(state(), ["dig", NAME], Context(local="10.1.2.3"))
    assert result.status == 0
    assert "A 10.1.2.3" in result.text
    assert run(state(), ["dig", "no.such", "AAAA"]).status == 1


def test_dig_of_another_name_says_what_was_heard_of_it():
    heard = [";; NOERROR, 1 answer", "example.com. 60 IN A 192.0.2.1", ";; from nameserver 10.0.0.2:53"]
    result = run(state(), ["dig", "example.com"], Context(heard=heard))
    assert (result.status, result.text) == (0, "\n".join(heard))


def test_records_of_other_sections_are_no_answer_to_dig():
    heard = [";; NXDOMAIN, 0 answers", ";; authority", "haystack. 5 IN SOA ns.haystack. x. 1 2 3 4 5", ";; from the zone"]
    assert run(state(), ["dig", "nosuch.haystack"], Context(heard=heard)).status == 1


def test_nothing_asked_nothing_said():
    assert run(state(), []).text == ""


def test_what_strangers_write_cannot_move_the_cursor():
    evil = "a\x1b]0;owned\x07\r\n\x9b2J\u202eb"
    shown = state(snapshot=picture(name=evil, image=evil, reason=evil))
    for words in (["containers"], ["endpoints"], ["service", "nginx"], ["containers", "--json"], ["services", "--json"], [evil]):
        text = run(shown, words).text
        assert not set(text) & set("\x1b\x07\r\x9b\u202e"), words
    assert json.loads(run(shown, ["services", "--json"]).text)[0]["reason"] == evil


def test_a_table_keeps_to_the_terminal_and_without_one_folds_nothing():
    long = state(snapshot=picture(reason="word " * 60))
    assert max(map(len, run(long, ["service", "nginx"], Context(width=60)).text.splitlines())) <= 60
    assert len(run(long, ["service", "nginx"]).text.splitlines()) == 5


def test_completion_offers_what_may_follow():
    known = state()
    assert completions(known, ["service"]) == ["nginx", "--json"]
    assert completions(known, ["service", "nginx"]) == ["--json"]
    assert completions(known, ["trace"]) == ["on", "off", "--own"]
    assert completions(known, ["trace", "on"]) == ["nginx", "--own"]
    assert completions(known, ["services"]) == ["nginx", "--json"]
    assert completions(known, ["services", "nginx", "--json"]) == ["nginx"]
    assert completions(known, ["dig", "x"])[:2] == ["A", "AAAA"]
    assert completions(known, ["dig", "-x"]) == []
    assert completions(known, ["version"]) == []
    assert completions(known, []) == list(COMMANDS)
    assert completions(known, ["nonsense"]) == []


def test_help_tells_of_every_command():
    text = run(state(), ["help"]).text
    assert all(command.usage in text for command in COMMANDS.values())


@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("form", ["help {}", "{} --help", "help {} ", "haystack:help({})."])
def test_help_of_a_command_has_its_usage_arguments_and_an_example_that_is_read(name, form):
    result = run(state(), form.format(name).split())
    command = COMMANDS[name]
    assert result.status == 0
    assert f"usage: {command.usage}" in result.text
    assert all(each.told in result.text for each in command.arguments)
    assert result.text.endswith(f"\nexample: {command.example}")
    call = read(command.example.split())
    assert isinstance(call, Call)
    assert call.command is command


@pytest.mark.parametrize("word", ["?", "-h", "--help"])
def test_a_question_mark_is_help(word):
    assert run(state(), [word]).text == run(state(), ["help"]).text


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("ps", "containers"), ("LS", "services"), ("netwrks", "networks"), ("expl", "explain"), ("nslookup", "dig"), ("pss", "containers")],
)
def test_a_wrong_word_is_told_the_right_one(wrong, right):
    assert f"did you mean {right}?" in run(state(), [wrong]).text


@pytest.mark.parametrize("word", ["xyzzy", "restart"])
def test_a_word_like_no_command_gets_the_list_and_no_guess(word):
    assert run(state(), [word]).text == f"no command '{word}'; help lists them"
    assert len(run(state(), ["x" * 100_000]).text) < 100


@pytest.mark.parametrize("command", ["explain", "probe"])
@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("ftp://x", "Haystack serves http:// and https://, not ftp://"),
        ("https://", "no host name in it"),
        ("http://x:99999/", "out of range"),
    ],
)
def test_what_is_no_url_of_a_service_is_told_as_such(command, url, told):
    result = run(state(), [command, url])
    assert (result.status, told in result.text) == (2, True)


def test_a_trace_of_a_service_that_is_not_there_names_the_nearest():
    assert (
        run(state(), ["trace", "on", "ngnx"]).text == "trace on for ngnx.services.haystack, which does not exist yet; did you mean nginx?"
    )


def test_a_network_is_named_once_with_the_reason_for_its_address():
    one = Container(
        id="1" * 64, name="one", engine="E", address="10.0.0.2", network="front", address_reason="network front: its only network"
    )
    lines = run(state(snapshot=build(1, "haystack", {"x": Listing(containers=(one,))}, 1.0)), ["containers"]).text.splitlines()
    assert "front: its only network" in lines[2]
    assert "network front" not in lines[2]


def test_containers_show_both_addresses():
    one = Container(id="1" * 64, name="one", engine="E", address="10.0.0.2", address6="fd00:1::2", network="front")
    six = Container(id="2" * 64, name="six", engine="E", address6="fd00:1::3", network="front")
    shown = state(snapshot=build(1, "haystack", {"x": Listing(containers=(one, six))}, 1.0))
    for width in (None, 100):
        lines = run(shown, ["containers"], Context(width=width)).text.splitlines()
        assert "   10.0.0.2, fd00:1::2   " in lines[2]
        assert "   fd00:1::3 " in lines[3]
    text = run(shown, ["containers", "fd00:1::3"]).text
    assert ("2" * 12 in text, "1" * 12 in text) == (True, False)


def test_the_greeting_says_whose_problem_it_names():
    one = Container(
        id="1" * 64, name="one", engine="E", address="10.0.0.2", problems=(Problem(subject="label x", message="no such label"),)
    )
    text = at_once(welcome.lines(state(snapshot=build(1, "haystack", {"x": Listing(containers=(one,))}, 1.0))))
    assert text[3] == "problem: one: label x: no such label"


def test_dig_asks_no_nameserver_of_the_askers_choice():
    result = run(state(), ["dig", "@192.0.2.1", "example.com"])
    assert (result.status, "only this Haystack is asked" in result.text) == (2, True)


def test_a_service_that_nobody_has_heard_of_has_nothing_to_replay():
    result = run(state(), ["replay", "1m", "nosuch"])
    assert (result.status, "no service nosuch.services.haystack was in then" in result.text) == (1, True)


@pytest.mark.parametrize(("words", "nearest"), [(["services", "--jsn"], "--json"), (["config", "--al"], "--all")])
def test_an_option_that_there_is_not_is_told_with_the_nearest(words, nearest):
    result = run(state(), words)
    assert (result.status, result.text.split("; ")[1]) == (2, f"did you mean {nearest}?")


@pytest.mark.parametrize(
    ("words", "rows"), [([], 1), (["NGIN"], 1), (["ngin", "80"], 1), (["n*x"], 1), (["nothing"], 0), (["nginx", "nothing"], 0)]
)
def test_a_list_takes_a_filter(words, rows):
    text = run(state(), ["services", *words]).text
    assert (NAME in text) == bool(rows)
    assert ("nothing here has" in text) == (not rows)
    assert len(json.loads(run(state(), ["services", *words, "--json"]).text)) == rows


def test_config_tells_what_is_set_and_where():
    text = run(state(), ["config"]).text
    assert [line.split("   ")[-1].strip() for line in text.splitlines() if line.startswith("HAYSTACK_WORKERS")] == ["the flag --workers"]
    assert "HAYSTACK_ORIGIN" not in text
    assert "HAYSTACK_ORIGIN" in run(state(), ["config", "--all"]).text
    assert {each["name"]: each["source"] for each in json.loads(run(state(), ["config", "--json"]).text)}["HAYSTACK_ORIGIN"] == "default"


def test_limits_tell_what_is_in_use_and_what_was_met():
    known = state()
    known.proxy.errors = {("connection_timeout", 504): 7}
    rows = {row["limit"]: row for row in json.loads(run(known, ["limits", "--json"]).text)}
    assert rows["client connections"]["used"] == 2
    assert rows["time to connect to an endpoint"]["met"] == 7
    assert rows["idle tunnel"]["met"] is None
    assert "CONNECT_TIMEOUT 1s" in run(known, ["limits"]).text


def test_dig_of_an_address_asks_for_its_names():
    asked = read(["dig", "-x", "172.17.0.2"])
    assert isinstance(asked, Call)
    assert dig.question(asked.asked) == ("2.0.17.172.in-addr.arpa", "PTR")
    assert "not an address" in run(state(), ["dig", "-x", "web"]).text
    assert run(state(), ["dig", "web", "-x", "172.17.0.2"]).status == 2
    assert run(state(), ["dig"]).status == 2


@pytest.mark.parametrize("words", [["dig", NAME, "--jsn"], ["trace", "on", "--json"], ["service", "nginx", "--all"], ["version", "--json"]])
def test_an_option_is_no_argument(words):
    result = run(state(), words)
    assert (result.status, result.effect) == (2, None)
    assert "; usage: " in result.text


def test_a_table_leaves_out_what_it_can_spare_and_folds_between_words():
    long = state(snapshot=picture(reason="word " * 12))
    narrow = run(long, ["endpoints"], Context(width=80)).text.splitlines()
    assert max(map(len, narrow)) <= 80
    assert narrow[0].split() == ["SERVICE", "ENDPOINT", "WEIGHT", "CONTAINER", "STATE"]
    assert len(narrow) > 4
    assert run(long, ["endpoints"]).text.splitlines()[0].split()[-1] == "SINCE"


def test_a_row_that_is_much_wider_than_the_terminal_is_a_block_of_whole_words():
    text = run(state(), ["endpoints"], Context(width=40)).text
    assert "SERVICE    nginx\n" in text
    assert "STATE      ready: running\n" in text


@pytest.mark.parametrize("words", [["services"], ["endpoints"], ["containers"], ["explain", "http://none.example/"]])
def test_an_engine_that_does_not_answer_is_told_with_what_may_be_missing_for_it(words):
    lost = state()
    lost.registry.sources["unix:///x"] = SimpleNamespace(connected=False, error="connection refused", since=1.0, engine=None)
    assert "unix:///x does not answer: connection refused" in run(lost, words).text
    assert "does not answer" not in run(state(), words).text
