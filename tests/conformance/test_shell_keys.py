"""Keys of the shell and their options, by OpenSSH's own client: who gets in, for how long, to do what, and what the log has of it."""

import asyncio
import datetime as dt

import asyncssh
import pytest

from haystack.console import keyring
from tests.fakes.ssh import NEEDS_SSH, PATIENCE, at_terminal, fingerprint, public, ssh, started

pytestmark = NEEDS_SSH


@pytest.fixture(autouse=True)
def _often(monkeypatch):
    monkeypatch.setattr(keyring, "LOOK", 0.05)
    monkeypatch.setattr(keyring, "SETTLED", 0.05)


def soon(seconds):
    return (dt.datetime.now(dt.UTC) + dt.timedelta(seconds=seconds)).strftime("%Y%m%d%H%M%SZ")


@pytest.mark.parametrize(
    ("source", "good"),
    [
        ("127.0.0.0/8", True),
        ("10.0.0.0/8", False),
        ("10.0.0.1,127.0.0.9", True),
        ("127.0.0.*", True),
        ("127.0.0.*,!127.0.0.9", False),
        ("::1/128", False),
    ],
)
async def test_from_lets_in_from_these_addresses_alone(shell, log, source, good):
    shell.file.write_text(f'from="{source}" {public(shell)}\n')
    assert (await ssh(shell, "version", options=("-b", "127.0.0.9")))[0] == (0 if good else 255)
    if not good:
        line = await log.has("key.refused", key=fingerprint(shell), comment="good key", peer="127.0.0.9")
        assert "address" in line["reason"]


@pytest.mark.parametrize(("seconds", "good"), [(3600, True), (-3600, False)])
async def test_a_key_lets_in_until_it_expires(shell, log, seconds, good):
    shell.file.write_text(f'expiry-time="{soon(seconds)}" {public(shell)}\n')
    assert (await ssh(shell, "version"))[0] == (0 if good else 255)
    if not good:
        assert "expired" in (await log.has("key.ignored"))["line"]
        assert "expired" in (await log.has("key.refused", key=fingerprint(shell)))["reason"]


async def test_the_command_of_a_key_is_all_that_it_does(shell, log):
    shell.file.write_text(f'command="service nginx" {public(shell)}\n')
    for words in ((), ("version",), ("trace on",)):
        code, out, _ = await ssh(shell, *words)
        assert code == 0
        assert "172.17.0.2" in out
        assert "Haystack " not in out
    assert (await ssh(shell, "sftp", options=("-s",)))[1] == out
    await log.has("command.run", command="service nginx")


@pytest.mark.parametrize("options", ["restrict", "no-pty"])
async def test_a_key_without_a_terminal_has_commands_and_lines_from_a_pipe(shell, options):
    shell.file.write_text(f"{options} {public(shell)}\n")
    assert "PTY allocation request failed" in (await ssh(shell, options=("-tt", "-o", "LogLevel=INFO")))[2]
    assert (await ssh(shell, "version"))[0] == 0
    _, out, _ = await ssh(shell, typed=b"version\n")
    assert out.startswith("Haystack ")
    assert "\x1b" not in out


async def test_restrict_and_pty_have_a_terminal(shell):
    shell.file.write_text(f"restrict,pty {public(shell)}\n")
    async with at_terminal(shell) as person:
        await person.sees("haystack>")


async def test_a_certificate_lets_in_with_its_signers_line_and_the_log_has_its_name(shell, log, tmp_path):
    signer, own = (asyncssh.read_private_key(shell.keys / name) for name in ("good", "wrong"))
    for principals, good in ((["anyone"], True), (["root"], False)):
        certificate = signer.generate_user_certificate(own, "alice", principals=principals)
        certificate.write_certificate(tmp_path / "cert.pub")
        shell.file.write_text(f"cert-authority {public(shell)}\n")
        options = ("-o", f"CertificateFile={tmp_path / 'cert.pub'}")
        assert (await ssh(shell, "version", key="wrong", options=options))[0] == (0 if good else 255)
    await log.has("login.accepted", comment="alice", key=fingerprint(shell, "wrong"))
    await log.has("login.failed")


async def test_every_login_command_and_end_is_in_the_log_with_the_key(shell, log):
    await ssh(shell, "service nowhere")
    who = {"key": fingerprint(shell), "comment": "good key", "peer": "127.0.0.1"}
    await log.has("login.accepted", user="anyone", **who)
    await log.has("command.run", command="service nowhere", **who)
    await log.has("session.ended", reason="left", commands=1, **who)


async def test_a_refused_key_is_in_the_log_with_its_fingerprint(shell, log):
    assert (await ssh(shell, "version", key="wrong", options=("-b", "127.0.0.9")))[0] == 255
    await log.has("login.failed", peer="127.0.0.9", user="anyone", keys=[fingerprint(shell, "wrong")])


async def test_what_a_stranger_says_is_cut(shell, log):
    assert (await ssh(shell, "version", key="wrong", options=("-l", "x" * 900)))[0] == 255
    assert (await log.has("login.failed"))["user"] == "x" * 100


async def test_a_key_that_is_taken_out_ends_its_sessions_and_no_others(shell, log):
    shell.file.write_text(f"{public(shell)}\n{public(shell, 'wrong')}\n")
    stays = await started(shell, "trace on", key="wrong")
    await asyncio.wait_for(stays.stderr.readline(), PATIENCE)
    async with at_terminal(shell, options=("-o", "LogLevel=INFO")) as person:
        await person.sees("haystack>")
        shell.file.write_text(f"# one less\n{public(shell, 'wrong')} who has another name\n")
        await person.sees("key was removed")
        assert await asyncio.wait_for(person.process.wait(), PATIENCE) == 255
    await log.has("session.ended", key=fingerprint(shell), reason="its key was removed, or has expired")
    assert stays.returncode is None
    assert (await ssh(shell, "version"))[0] == 255
    stays.terminate()
    await stays.communicate()


async def test_a_session_ends_when_its_key_expires(shell, log):
    shell.file.write_text(f'expiry-time="{soon(5)}" {public(shell)}\n')
    process = await started(shell, "trace on")
    await asyncio.wait_for(process.stderr.readline(), PATIENCE)
    await log.has("session.ended", reason="its key was removed, or has expired")
    assert await asyncio.wait_for(process.wait(), PATIENCE) == 255


async def test_an_option_that_a_key_gets_later_ends_what_it_had_without(shell, log, person):
    shell.file.write_text(f'command="version" {public(shell)}\n')
    await log.has("session.ended", reason="its key was removed, or has expired")
    assert (await ssh(shell, "services"))[1].startswith("Haystack ")


async def test_a_bad_line_that_comes_later_is_told_once_and_locks_nobody_out(shell, log):
    shell.file.write_text(f"nonsense\n{public(shell)}\n")
    assert "line 1: this is not a public key" in (await log.has("key.ignored"))["line"]
    for _ in range(2):
        assert (await ssh(shell, "version"))[0] == 0
    assert not [line for line in log.lines if line["event"] == "key.ignored"]


async def test_a_file_that_is_gone_locks_everybody_out_and_says_so(shell, log, person):
    shell.file.unlink()
    assert "No such file" in (await log.has("key.ignored"))["line"]
    await log.has("session.ended")
    assert (await ssh(shell, "version"))[0] == 255
