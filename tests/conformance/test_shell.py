"""The shell as people meet it: OpenSSH's own client against the real server, on a port of the kernel's choice."""

import asyncio
import contextlib
import itertools
import json
import os
import stat

import asyncssh
import pytest
from asyncssh.packet import String
from structlog.testing import capture_logs

from haystack.console import hostkey
from haystack.console.session import Session
from haystack.console.ssh_listener import SshListener
from tests.fakes.ssh import NEEDS_SSH, PATIENCE, ssh, started
from tests.fakes.state import NAME, state, trace

pytestmark = NEEDS_SSH
NUMBERS = itertools.count()


async def test_one_command_answers_and_succeeds(shell):
    status, out, _ = await ssh(shell, "services")
    assert status == 0
    assert NAME in out


async def test_json_for_scripts(shell):
    status, out, _ = await ssh(shell, "services", "--json")
    assert status == 0
    assert json.loads(out)[0]["name"] == NAME


@pytest.mark.parametrize(("line", "status"), [("service nginx", 0), ("service nowhere", 1), ("servces", 2), ("service 'open", 2)])
async def test_the_exit_status_says_how_it_went(shell, line, status):
    assert (await ssh(shell, line))[0] == status


async def test_dig_answers_as_seen_from_the_client(shell):
    _, out, _ = await ssh(shell, f"dig {NAME}")
    assert out.rstrip().endswith("127.0.0.1")


async def test_metrics_are_fresh(shell):
    _, out, _ = await ssh(shell, "metrics")
    assert 'endpoint="abababababab:80/tcp",container="abababababab",address="172.17.0.2:80"} 3.0' in out


async def test_a_wrong_key_is_refused(shell):
    status, _, err = await ssh(shell, "version", key="wrong")
    assert status == 255
    assert "Permission denied (publickey)" in err


async def test_without_any_key_nobody_gets_in_and_others_are_not_let_in_by_it(shell):
    shell.file.write_text("# none\n")
    assert (await ssh(shell, "version"))[0] == 255


async def test_a_key_that_is_added_lets_in_without_a_restart(shell):
    shell.file.write_text((shell.keys / "wrong.pub").read_text())
    assert (await ssh(shell, "version", key="wrong"))[0] == 0
    assert (await ssh(shell, "version"))[0] == 255


async def test_neither_files_nor_forwarding(shell):
    assert (await ssh(shell, "sftp", options=("-s",)))[0] != 0
    status, _, _ = await ssh(shell, options=("-W", "127.0.0.1:1"))
    assert status != 0


async def test_lines_from_a_pipe_are_commands(shell):
    status, out, err = await ssh(shell, typed=b"version\nnonsense\nversion\nexit()\nversion\n")
    assert out.count("Haystack ") == 2
    assert "no command 'nonsense'" in err
    assert status == 2


async def test_lines_from_a_pipe_wait_with_the_client_while_others_are_done(shell, monkeypatch):
    """They were all kept: nine megabytes of them took sixty."""
    waiting = 0
    received = Session.data_received

    def noted(self, data, datatype):
        nonlocal waiting
        received(self, data, datatype)
        waiting = max(waiting, self._lines.qsize())

    monkeypatch.setattr(Session, "data_received", noted)
    code, out, _ = await ssh(shell, typed=(b"version" + b" " * 300 + b"\n") * 2500)
    assert code == 0
    assert len(set(out.split("\n"))) == 2
    assert out.count("\n") == 2500
    assert waiting < 1500


async def test_trace_lines_come_live_until_the_client_leaves(shell):
    process = await started(shell, "trace on nginx")
    assert await asyncio.wait_for(process.stderr.readline(), PATIENCE) == f"trace on for {NAME}\n".encode()
    assert shell.state.traces.interest == (True, NAME)
    shell.state.traces.publish(trace("other.services.haystack"))
    shell.state.traces.publish(trace(target="/\x1b[2J"))
    line = (await asyncio.wait_for(process.stdout.readline(), PATIENCE)).decode()
    for part in (" 200   2.25ms GET     ", f"{NAME}/", "172.17.0.9:80>172.17.0.2:80 reused", "first=1.50 ", "out=612B", " http ", "id=-"):
        assert part in line
    assert "\x1b" not in line
    gone = asyncio.Event()
    shell.state.traces.on_change = lambda on, _: on or gone.set()
    process.terminate()
    await asyncio.wait_for(process.communicate(), PATIENCE)
    await asyncio.wait_for(gone.wait(), PATIENCE)


async def test_a_person_lists_edits_completes_and_leaves(person):
    person.type("versionX\x7f\r")
    await person.sees(r"Haystack \d+\.\d+")
    person.type("servi\tnope\x03")
    person.type("netw\t\r")
    await person.sees("172.17.0.0/16")
    person.type("exit()\r")
    assert await asyncio.wait_for(person.process.wait(), PATIENCE) == 0


async def test_ctrl_d_leaves(person):
    person.type("\x04")
    assert await asyncio.wait_for(person.process.wait(), PATIENCE) == 0


async def test_trace_lines_appear_above_the_prompt_while_one_types(shell, person):
    person.type("trace(true)\r")
    await person.sees("trace on.*haystack>")
    person.type("vers")
    await person.sees("vers")
    shell.state.traces.publish(trace())
    await person.sees("172.17.0.2:80 reused.*haystack> vers")
    person.type("ion\r")
    await person.sees(r"Haystack \d+\.\d+")
    person.type("trace(false)\r")
    await person.sees("trace off")
    assert shell.state.traces.interest == (False, None)


async def test_a_long_paste_does_not_stop_the_loop(person):
    person.type("version " + "x" * 500 + "\x03")
    for _ in range(40):
        person.type("version\r")
    person.type("exit\r")
    assert await asyncio.wait_for(person.process.wait(), PATIENCE) == 0


async def test_the_host_key_is_kept_for_this_user_alone(tmp_path):
    first, again = hostkey.load(tmp_path / "s"), hostkey.load(tmp_path / "s")
    assert first.get_fingerprint() == again.get_fingerprint()
    assert stat.S_IMODE((tmp_path / "s" / hostkey.NAME).stat().st_mode) == 0o600


async def test_a_broken_host_key_is_left_alone_and_the_shell_starts(tmp_path):
    (tmp_path / hostkey.NAME).write_text("rubbish")
    assert hostkey.load(tmp_path).get_fingerprint()
    assert (tmp_path / hostkey.NAME).read_text() == "rubbish"


async def test_a_state_folder_that_cannot_be_made_costs_only_the_key(tmp_path):
    (tmp_path / "file").write_text("")
    assert hostkey.load(tmp_path / "file" / "state").get_fingerprint()


async def test_more_clients_than_there_can_be_people_are_turned_away(shell):
    shell._most = 1
    process = await started(shell, "trace on")
    await asyncio.wait_for(process.stderr.readline(), PATIENCE)
    assert (await ssh(shell, "version"))[0] == 255
    process.terminate()
    await asyncio.wait_for(process.communicate(), PATIENCE)


async def test_silent_strangers_lock_nobody_out(shell):
    """A hundred connections that said nothing had the shell for half a minute."""
    pairs = [await asyncio.open_connection("127.0.0.1", shell.port, local_addr=(f"127.0.0.{n % 9 + 2}", 0)) for n in range(100)]
    assert (await ssh(shell, "version"))[0] == 0
    for _, writer in pairs:
        writer.close()
    for _, writer in pairs:
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def test_silent_connections_of_an_address_do_not_lock_it_out(shell):
    """Behind a gateway the operator has the same address as whoever leaves 200 connections open."""
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(200):
            _, writer = await asyncio.open_connection("127.0.0.1", shell.port)
            stack.callback(writer.close)
        assert (await ssh(shell, "version"))[0] == 0


async def test_one_that_does_not_log_in_is_cut_off(shell, monkeypatch):
    shell._options.login_timeout = 0.2
    reader, writer = await asyncio.open_connection("127.0.0.1", shell.port)
    await asyncio.wait_for(reader.read(), PATIENCE)
    writer.close()
    with contextlib.suppress(ConnectionError):
        await writer.wait_closed()


class Stranger(asyncssh.SSHClient):
    """A client without a key that sends what it likes instead of logging in. sends: (its connection) → None, again and again."""

    def __init__(self, sends):
        self.sends = sends
        self.lost = asyncio.get_running_loop().create_future()

    def connection_made(self, conn):
        self.connection = conn

    def connection_lost(self, exc):
        self.lost.set_result(exc)

    async def public_key_auth_requested(self):
        while not self.lost.done():
            self.sends(self.connection)
            await asyncio.sleep(0)


def new_keys(connection):
    if connection._kex_complete:
        connection._kexinit_sent = True
        connection._send_kexinit()


def names(connection):
    connection.send_packet(50, *map(String, (f"user{next(NUMBERS)}", "ssh-connection", "none")))


def tries(connection):
    connection.send_packet(50, *map(String, ("x", "ssh-connection", "none")))


@pytest.mark.parametrize(("sends", "told"), [(new_keys, "one key exchange"), (names, "name has changed"), (tries, "no login after 64")])
async def test_before_its_login_a_client_gets_no_more_done_than_a_login_takes(shell, sends, told):
    """One connection had the control process exchange keys 220 times a second, and could as well fill it with names and keys."""
    stranger = Stranger(sends)
    with contextlib.suppress(asyncssh.Error, OSError):
        async with asyncio.timeout(PATIENCE):
            await asyncssh.connect(
                "127.0.0.1", shell.port, client_factory=lambda: stranger, username="x", known_hosts=None, config=None, agent_path=None
            )
    assert told in str(stranger.lost.result())


async def test_new_keys_are_exchanged_after_the_login(shell):
    code, out, err = await ssh(shell, "help", options=["-v", "-o", "LogLevel=DEBUG1", "-o", "RekeyLimit=16"])
    assert (code, err.count("SSH2_MSG_KEXINIT sent") > 1) == (0, True), err
    assert "services" in out


@pytest.mark.parametrize("slow", ["rsa2048-sha256", "diffie-hellman-group18-sha512", "diffie-hellman-group-exchange-sha256"])
async def test_a_client_cannot_choose_a_key_exchange_that_holds_up_the_loop(shell, slow):
    """For rsa2048 an RSA key was made for each client, on the loop of DNS and health: 60 ms, and up to 300."""
    with pytest.raises(asyncssh.KeyExchangeFailed):
        await asyncssh.connect("127.0.0.1", shell.port, kex_algs=[slow], username="x", known_hosts=None, config=None, agent_path=None)


async def test_failed_logins_are_one_line_and_then_counted(shell, capsys):
    with capture_logs() as lines:
        for _ in range(5):
            assert (await ssh(shell, "version", key="wrong"))[0] == 255
        await shell.close()
    told = [line for line in lines if line["event"] == "login.failed"]
    assert [line.get("more") for line in told] == [None, 4]
    assert told[0]["peer"] == told[1]["example"] == "127.0.0.1"


@pytest.mark.parametrize("size", [(2**32 - 1, 2**32 - 1), (0, 0)])
async def test_a_terminal_of_any_size_costs_what_a_large_one_does(shell, size):
    """A screen of 4294967295 columns took 24 GB, and everything ended."""
    private = asyncssh.read_private_key(shell.keys / "good")
    async with asyncssh.connect("127.0.0.1", shell.port, client_keys=[private], known_hosts=None, username="x", config=None) as connection:
        process = await connection.create_process(term_type="xterm", term_size=(*size, 0, 0))
        process.stdin.write("version\r")
        await asyncio.wait_for(process.stdout.readuntil("haystack> "), PATIENCE)
        process.change_terminal_size(*size)
        process.stdin.write("services\rexit\r")
        out, _ = await asyncio.wait_for(process.communicate(), PATIENCE)
    assert NAME.removesuffix(".services.haystack") in out


async def test_a_host_key_that_others_can_read_is_refused(tmp_path):
    kept = hostkey.load(tmp_path)
    (tmp_path / hostkey.NAME).chmod(0o640)
    with capture_logs() as lines:
        assert hostkey.load(tmp_path).get_fingerprint() != kept.get_fingerprint()
    assert "chmod 600" in lines[0]["error"]
    (tmp_path / hostkey.NAME).chmod(0o600)
    assert hostkey.load(tmp_path).get_fingerprint() == kept.get_fingerprint()


async def test_closing_the_server_sends_everybody_home(shell):
    process = await started(shell, "trace on")
    await asyncio.wait_for(process.stderr.readline(), PATIENCE)
    await asyncio.wait_for(shell.close(), PATIENCE)
    await asyncio.wait_for(process.communicate(), PATIENCE)
    assert shell.state.traces.interest == (False, None)


async def test_garbage_instead_of_ssh_ends_that_connection_alone(shell):
    for garbage in (b"", b"GET / HTTP/1.1\r\n\r\n", os.urandom(70_000), b"SSH-2.0-x\r\n" + os.urandom(5000)):
        reader, writer = await asyncio.open_connection("127.0.0.1", shell.port)
        writer.write(garbage)
        writer.write_eof()
        with contextlib.suppress(ConnectionError):
            await asyncio.wait_for(reader.read(), PATIENCE)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()
    assert (await ssh(shell, "version"))[0] == 0


async def test_no_address_named_is_every_address(tmp_path):
    server = SshListener(state(tmp_path, bind=()))
    server.bind()
    await server.start()
    _, writer = await asyncio.open_connection("127.0.0.1", server.port)
    writer.close()
    await server.close()


async def test_without_a_key_the_first_client_is_met_all_the_same_and_told_that_nobody_gets_in(keys, tmp_path):
    server = SshListener(state(tmp_path))
    server.bind()
    with capture_logs() as lines:
        await server.start()
    assert [line["event"] for line in lines] == ["shell.locked"]
    server.keys = keys
    status, _, err = await ssh(server, "version")
    assert (status, "Permission denied" in err) == (255, True)
    assert (tmp_path / hostkey.NAME).exists()
    await server.close()


async def test_one_that_nobody_came_to_closes_its_port(tmp_path):
    server = SshListener(state(tmp_path))
    server.bind()
    await server.start()
    port = server.port
    await server.close()
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)


async def test_a_port_that_is_taken_is_an_error_and_leaves_nothing_open(shell, tmp_path):
    other = SshListener(state(tmp_path, ssh_port=shell.port))
    with pytest.raises(OSError):
        other.bind()
    assert other._sockets == []
