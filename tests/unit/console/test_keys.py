"""authorized_keys, line by line: a bad one is named and locks nobody else out; an option is done, or its key is refused."""

import datetime as dt
from types import SimpleNamespace

import asyncssh
import pytest

from haystack.console import keys
from haystack.console.keyring import LINE, Keyring, Ring
from haystack.loop import watched_file

KEY = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
OTHER = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
NOW = dt.datetime(2026, 6, 1, 12, 0, tzinfo=dt.UTC)


def found(text, file=None):
    return keys.read(SimpleNamespace(ssh_authorized_keys=text, ssh_authorized_keys_file=file))


def asked(result, key, address="192.0.2.1"):
    return Ring(result.lines, NOW).validate(asyncssh.import_public_key(key), "", address)


def lets_in(result, key, address="192.0.2.1"):
    return asked(result, key, address) is not None


@pytest.mark.parametrize(
    "bad",
    [
        "rubbish",
        "ssh-ed25519 AAAA",
        "ssh-ed25519",
        "ssh-rsa \ud800",
        'command="unclosed ' + KEY,
        'permitopen="x" ' + KEY,
        'environment="x" ' + KEY,
        "\x00",
        "no-such-option " + KEY,
        "verify-required " + KEY,
        'from="laptop.example" ' + KEY,
        'from="10.0.0.1/8" ' + KEY,
        'from="" ' + KEY,
        "from " + KEY,
        "x509v3-ssh-rsa AAAA",
    ],
    ids=lambda line: line.replace(KEY, "KEY"),  # every process that takes part has the same names
)
def test_a_bad_line_is_named_and_locks_nobody_out(bad):
    result = found(f"# mine\n{bad}\n{OTHER}\n")
    assert lets_in(result, OTHER)
    assert not lets_in(result, KEY)
    (line,) = result.refused
    assert line.startswith("HAYSTACK_SSH_AUTHORIZED_KEYS line 2: ")
    assert KEY.split()[1] not in line


@pytest.mark.parametrize("mark", ["\x0b", "\x0c", "\x1c", "\x85", "\u2028", "\u2029"])
def test_a_comment_may_hold_any_character_and_lets_nobody_else_in(mark):
    result = found(f"{OTHER} me{mark}{KEY}\n# mine{mark}{KEY}\n")
    assert result.refused == ()
    assert lets_in(result, OTHER)
    assert not lets_in(result, KEY)


def test_files_with_marks_may_be_put_together():
    result = found(f"\ufeff{OTHER}\n\ufeff{KEY}\n\ufeff# mine\n")
    assert result.refused == ()
    assert lets_in(result, OTHER)
    assert lets_in(result, KEY)


def test_a_byte_order_mark_and_a_windows_editors_line_ends_are_no_part_of_a_key(tmp_path):
    file = tmp_path / "keys"
    file.write_bytes(b"\xef\xbb\xbf" + f"{KEY} me\r\n{OTHER}\r\n".encode())
    result = found(None, file)
    assert (lets_in(result, KEY), lets_in(result, OTHER), result.refused) == (True, True, ())
    assert lets_in(found("\ufeff" + KEY), KEY)


def test_both_sources_count_and_a_file_that_is_not_there_is_named(tmp_path):
    result = found(KEY, tmp_path / "none")
    assert lets_in(result, KEY)
    assert result.refused == (f"HAYSTACK_SSH_AUTHORIZED_KEYS_FILE: {tmp_path / 'none'}: No such file or directory",)


@pytest.mark.parametrize("text", ["", None, "# nothing\n\n", "rubbish"])
def test_without_a_key_there_is_none(text):
    assert found(text).lines == ()


@pytest.mark.parametrize(
    ("time", "good"),
    [
        ("20260601120001Z", True),
        ("20260601120000Z", False),
        ("202606011201Z", True),
        ("20260601Z", False),
        ("20270101", True),
        ("20260101", False),
    ],
)
def test_a_key_is_good_until_its_expiry_time(time, good):
    result = found(f'expiry-time="{time}" {KEY}')
    assert lets_in(result, KEY) == good
    assert result.refused == ()
    assert Ring(result.lines, NOW).listed, "its owner is told why"


def test_of_two_expiry_times_the_first_one_counts():
    assert not lets_in(found(f'expiry-time="20270101",expiry-time="20260101Z" {KEY}'), KEY)


@pytest.mark.parametrize("time", ["", "tomorrow", "20261301", "2026", "20260601125", "00010101", "٢٠٢٧٠١٠١"])
def test_an_expiry_time_that_is_none_refuses_the_key(time):
    result = found(f'expiry-time="{time}" {KEY}')
    assert (result.lines, len(result.refused)) == ((), 1)


def options(text):
    result = found(f"{text} {KEY}")
    assert not result.refused
    return {name: value for name, value in asked(result, KEY, "10.0.0.1").items() if name != LINE}


def test_options_that_are_done_are_kept():
    assert options('command="services, \\"x\\"",from="10.0.0.0/8"')["command"] == 'services, "x"'
    assert options("no-pty,no-port-forwarding,no-X11-forwarding")["no-pty"]


def test_restrict_forbids_the_terminal_unless_pty_allows_it():
    assert options("restrict")["no-pty"]
    assert options('restrict,command="services"') == {"no-pty": True, "command": "services"}
    assert "no-pty" not in options("restrict,pty")


def test_a_key_may_have_several_lines_of_which_the_first_that_fits_counts():
    result = found(f'from="10.0.0.0/8",command="version" {KEY} at home\nfrom="192.0.2.*" {KEY} abroad\n')
    assert asked(result, KEY, "10.1.1.1")["command"] == "version"
    assert asked(result, KEY, "192.0.2.7")[LINE].comment == "abroad"
    assert not lets_in(result, KEY, "198.51.100.1")


def test_who_has_a_key_is_told_as_ssh_keygen_does_and_without_what_moves_a_cursor():
    (line,) = found(f"{KEY} me\x1b[2J {'x' * 500}").lines
    assert line.fingerprint == asyncssh.import_public_key(KEY).get_fingerprint()
    assert line.comment.startswith("me\\x1b[2J x")
    assert len(line.comment) == 100


def test_a_rule_is_the_same_with_another_comment_and_another_expiry_time():
    one, other = (found(f"{text} {KEY} {comment}").lines for text, comment in (("no-pty", "me"), ('no-pty,expiry-time="20990101"', "you")))
    assert Ring(one, NOW).rules == Ring(other, NOW).rules
    assert Ring(found(KEY).lines, NOW).rules != Ring(one, NOW).rules


def test_who_may_read_a_file_is_a_change_of_it(tmp_path):
    """A file that is mended by chmod is as large, and as old, as it was."""
    file = tmp_path / "keys"
    file.write_text(KEY)
    ring = Keyring(SimpleNamespace(ssh_authorized_keys=None, ssh_authorized_keys_file=file), lambda _: None)
    before = ring._state(), watched_file.state(file)
    ticks = file.stat().st_ctime_ns
    while file.stat().st_ctime_ns == ticks:  # the clock of a file system has steps
        file.chmod(0o640)
    assert ring._state() != before[0]
    assert watched_file.state(file) != before[1]
