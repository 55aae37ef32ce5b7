"""Sessions of the shell, by OpenSSH's own client: what is refused, how they end, and what the next one remembers."""

import asyncio
import stat

import asyncssh
import pytest

from tests.fakes.ssh import NEEDS_SSH, PATIENCE, at_terminal, client, fingerprint, serving, ssh, started
from tests.fakes.state import picture, state, trace

pytestmark = NEEDS_SSH


async def connected(shell, **more):
    private = asyncssh.read_private_key(shell.keys / "good")
    return await asyncssh.connect("127.0.0.1", shell.port, client_keys=[private], known_hosts=None, username="x", config=None, **more)


async def test_ports_are_not_forwarded_and_the_log_says_so(shell, log):
    who = {"key": fingerprint(shell), "comment": "good key", "peer": "127.0.0.1"}
    assert (await ssh(shell, options=("-W", f"127.0.0.1:{shell.port}")))[0] == 255
    await log.has("forwarding.refused", what="forwarding", where=f"127.0.0.1:{shell.port}", **who)
    code, _, err = await ssh(shell, "version", options=("-o", "ExitOnForwardFailure=yes", "-R", "0:127.0.0.1:1"))
    assert (code, "remote port forwarding failed" in err) == (255, True)


@pytest.mark.parametrize("kind", ["local", "dynamic"])
async def test_a_port_at_the_clients_end_leads_nowhere(shell, unused_tcp_port, kind):
    given = ("-L", f"127.0.0.1:{unused_tcp_port}:127.0.0.1:{shell.port}") if kind == "local" else ("-D", f"127.0.0.1:{unused_tcp_port}")
    process = await started(shell, "trace on", options=given)
    await asyncio.wait_for(process.stderr.readline(), PATIENCE)
    reader, writer = await asyncio.open_connection("127.0.0.1", unused_tcp_port)
    if kind == "dynamic":  # SOCKS 4: CONNECT
        writer.write(b"\4\1" + shell.port.to_bytes(2, "big") + b"\x7f\0\0\1\0")
    with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
        await asyncio.wait_for(reader.readexactly(9), PATIENCE)
    writer.close()
    process.terminate()
    await process.communicate()


async def test_sockets_and_networks_are_not_forwarded(shell, tmp_path):
    async with await connected(shell) as connection:
        with pytest.raises(asyncssh.ChannelOpenError):
            await connection.open_unix_connection("/var/run/docker.sock")
        with pytest.raises(asyncssh.ChannelListenError):
            await connection.start_unix_server(lambda: None, str(tmp_path / "socket"))
        with pytest.raises(asyncssh.ChannelOpenError):
            await connection.open_tun()


async def test_neither_an_agent_nor_a_screen_is_lent(shell):
    async with await connected(shell, agent_forwarding=True, agent_path=None) as connection:
        assert (await connection.run("version")).stdout.startswith("Haystack ")
        (door,) = shell.logins.doors
        assert door._connection.get_agent_path() is None
        with pytest.raises(asyncssh.ChannelOpenError):
            await connection.run("version", x11_forwarding=True, x11_auth_path="/nonexistent")


async def test_the_clients_environment_is_not_kept(shell):
    async with await connected(shell) as connection:
        process = await connection.create_process("trace on", env={"LD_PRELOAD": "x", "B": "y" * 1000})
        await asyncio.wait_for(process.stderr.readline(), PATIENCE)
        (door,) = shell.logins.doors
        (session,) = door._sessions
        assert session._channel.get_environment() == {}


@pytest.mark.parametrize("tool", ["sftp", "scp"])
async def test_no_files_are_transferred(shell, tmp_path, log, tool):
    options = client(shell)[1:-1]
    options[options.index("-p")] = "-P"
    words = ["anyone@127.0.0.1:/etc/passwd", str(tmp_path / "got")]
    for more in ([], ["-O"]) if tool == "scp" else ([],):
        process = await asyncio.create_subprocess_exec(tool, *options, *more, *words, stdin=-3, stdout=-3, stderr=-3)
        assert await asyncio.wait_for(process.wait(), PATIENCE) != 0
    assert not (tmp_path / "got").exists()
    await log.has("subsystem.refused", name="sftp", comment="good key")


@pytest.mark.parametrize("line", ["!id", "services; id", "version | cat", "$(id)", "`id`", "version > x", "sh", "/bin/sh"])
async def test_a_line_is_a_command_and_no_shells_line(shell, line):
    code, out, err = await ssh(shell, line)
    assert code == 2
    assert "uid=" not in out + err


async def test_keys_that_leave_an_editor_for_a_shell_do_nothing(shell, person):
    for typed in ("\x18\x05", "\x1b!id\r", "\x1a", "\x1bxshell\r"):
        person.type(typed)
    person.type("\x03version\r")
    await person.sees(r"Haystack \d+\.\d+")


async def test_several_sessions_share_a_connection_and_one_that_ends_leaves_the_others(shell, tmp_path):
    master = ("-o", f"ControlPath={tmp_path / 'c'}", "-o", "ControlMaster=auto")
    first = await started(shell, "trace on", options=master)
    await asyncio.wait_for(first.stderr.readline(), PATIENCE)
    found = await asyncio.gather(*(ssh(shell, "version", options=master) for _ in range(5)))
    assert [code for code, _, _ in found] == [0] * 5
    assert len(shell.logins.doors) == 1
    shell.state.traces.publish(trace())
    assert await asyncio.wait_for(first.stdout.readline(), PATIENCE)
    first.terminate()
    await first.communicate()


async def test_a_connection_has_ten_sessions(shell):
    async with await connected(shell) as connection:
        going = [await connection.create_process("trace on") for _ in range(10)]
        with pytest.raises(asyncssh.ChannelOpenError):
            await connection.run("version")
        going[0].close()
        await going[0].wait_closed()
        assert (await connection.run("version")).exit_status == 0


@pytest.fixture
async def drowsy(shell, tmp_path):
    server = serving(state(tmp_path / "other", ssh_authorized_keys_file=shell.file, ssh_idle_timeout=1.5))
    await server.start()
    server.keys, server.file = shell.keys, shell.file
    yield server
    await server.close()


async def test_an_idle_session_ends_and_says_so(drowsy, log):
    async with at_terminal(drowsy) as person:
        await person.sees("the session ends: it was idle")
        await asyncio.wait_for(person.process.wait(), PATIENCE)
    await log.has("session.ended", reason="it was idle")


async def test_lines_that_do_not_come_end_a_session_without_a_terminal(drowsy, log):
    process = await started(drowsy, stdin=asyncio.subprocess.PIPE)
    await log.has("session.ended", reason="it was idle")
    await asyncio.wait_for(process.communicate(), PATIENCE)


async def test_a_command_that_goes_on_is_not_idle(drowsy, log):
    process = await started(drowsy, "trace on")
    idle = await started(drowsy, stdin=asyncio.subprocess.PIPE)
    await log.has("session.ended", reason="it was idle")
    drowsy.state.traces.publish(trace())
    assert await asyncio.wait_for(process.stdout.readline(), PATIENCE)
    process.terminate()
    await asyncio.gather(process.communicate(), idle.communicate())


async def test_a_connection_without_a_session_is_idle_too(drowsy):
    code, _, err = await ssh(drowsy, options=("-N", "-o", "LogLevel=INFO"))
    assert (code, "it was idle" in err) == (255, True)


async def test_the_next_session_has_the_lines_of_the_last_one(shell, log):
    async with at_terminal(shell) as person:
        await person.sees("haystack>")
        lines = {"service nginx": "nginx", "nonsense \x1b[200~two\nlines\x1b[201~": "lines", "service ünknown": "ünknown"}
        for line, last in lines.items():
            person.type(f"{line}\r")
            await person.sees(f"{last}.*haystack>")  # the next prompt: that of the line is drawn again as it is typed
    await log.has("session.ended")
    async with at_terminal(shell) as person:
        await person.sees("haystack>")
        person.type("\x1b[A")
        await person.sees("service ünknown")
        person.type("\x1b[A\x1b[A\r")
        await person.sees("172.17.0.2")
    (file,) = (shell.file.parent / "state" / "history").iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert file.read_text() == "service nginx\nnonsense two lines\nservice ünknown\nservice nginx\n"


EVIL = "\x1b]0;owned\x07\x1b[2J\r\x9b31m\u202eX"


async def test_no_text_of_others_moves_a_terminals_cursor(shell, tmp_path):
    (shell.file).write_text(shell.file.read_text().strip() + f" {EVIL}\n")
    snapshot = picture(EVIL, EVIL, EVIL)
    server = serving(state(tmp_path / "other", snapshot=snapshot, ssh_authorized_keys_file=shell.file))
    await server.start()
    server.keys = shell.keys
    lines = ["services", "containers", "networks", "engines", "endpoints", "service nginx", "explain http://nginx.services.haystack/\x1b[2J",
             f"service '{EVIL}'", f"dig '{EVIL}'", f"who '{EVIL}'", f"explain '{EVIL}'", f"trace on '{EVIL}'", "'\x1b[2J'",
             "services --json", "containers --json", "endpoints --json", "metrics", "trace on"]  # fmt: skip
    process = await started(server, stdin=asyncio.subprocess.PIPE)
    process.stdin.write("\n".join([*lines, "version", ""]).encode())
    out = b""
    while not out.endswith(b"\nHaystack 0.1.0\n"):
        out += await asyncio.wait_for(process.stdout.readline(), PATIENCE)
    server.state.traces.publish(trace(target=f"/{EVIL}", host=EVIL, method=EVIL, error=EVIL, detail=EVIL))
    out += await asyncio.wait_for(process.stdout.readline(), PATIENCE)
    process.stdin.close()
    out = (out + await process.stdout.read() + await process.stderr.read()).decode()
    await process.wait()
    await server.close()
    assert "owned" in out
    assert [c for c in out if c in EVIL and not c.isprintable()] == []
