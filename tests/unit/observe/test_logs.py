import io
import json
import logging

import pytest
import structlog

from haystack.observe import logs


@pytest.fixture(autouse=True)
def as_before():
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_json_is_one_object_a_line_whoever_wrote_it():
    out = io.StringIO()
    logs.configure("info", "json", out)
    structlog.get_logger("haystack.x").info("hello", port=80)
    logging.getLogger("docker").warning("from %s", "docker")
    first, second = map(json.loads, out.getvalue().splitlines())
    assert (first["event"], first["port"], first["level"], first["logger"]) == ("hello", 80, "info", "haystack.x")
    assert (second["event"], second["level"]) == ("from docker", "warning")


def test_the_console_cannot_be_moved_by_a_name():
    out = io.StringIO()
    logs.configure("info", "console", out)
    structlog.get_logger("x").info("odd\x1b[2J", name="a\r\nb")
    assert "\x1b" not in out.getvalue()
    assert out.getvalue().count("\n") == 1


def test_the_level_can_change():
    out = io.StringIO()
    logs.configure("warning", "json", out)
    log = structlog.get_logger("x")
    log.info("unseen")
    logs.set_level("debug")
    log.debug("seen")
    assert [json.loads(line)["event"] for line in out.getvalue().splitlines()] == ["seen"]


@pytest.mark.parametrize("name", ["asyncssh", "urllib3"])
def test_what_others_tell_of_each_file_and_connection_is_for_debugging(name):
    out = io.StringIO()
    logs.configure("info", "json", out)
    told = logging.getLogger(name)
    told.info("1 change detected")
    logs.set_level("debug")
    told.info("another one")
    assert [json.loads(line)["event"] for line in out.getvalue().splitlines()] == ["another one"]


def test_what_watches_files_does_not_tell_of_the_log_in_the_log():
    """With the log in the folder of a watched file, each line of it made the next one."""
    out = io.StringIO()
    logs.configure("debug", "json", out)
    logging.getLogger("watchfiles.main").debug("all changes filtered out")
    assert out.getvalue() == ""


def test_an_exception_is_told_in_json():
    out = io.StringIO()
    logs.configure("info", "json", out)
    try:
        int("why")
    except ValueError:
        structlog.get_logger("x").exception("failed")
    assert "ValueError: invalid literal" in json.loads(out.getvalue())["exception"]


@pytest.mark.parametrize("call", [lambda: logs.configure("loud"), lambda: logs.configure("info", "xml"), lambda: logs.set_level("x")])
def test_a_bad_word_is_refused(call):
    with pytest.raises(ValueError):
        call()
