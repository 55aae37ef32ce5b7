"""`top` with OpenSSH's client at a terminal, and without one."""

import asyncio
import fcntl
import json
import re
import signal
import struct
import termios

import asyncssh
import pytest

from tests.fakes.ssh import NEEDS_SSH, PATIENCE, at_terminal, ssh
from tests.fakes.state import ENDPOINT, NAME

pytestmark = NEEDS_SSH
ENTERED, LEFT = "\x1b[?1049h", "\x1b[?1049l"


async def raw(person, pattern):
    """Wait for control sequences too."""
    async with asyncio.timeout(PATIENCE):
        while not re.search(pattern, person.seen, re.DOTALL):
            person._more.clear()
            await person._more.wait()


def act(shell, requests=10):
    """Some traffic."""
    shell.state.proxy.traffic.put(NAME, ENDPOINT.id, ((0, 0, requests, 0, 0, 0), 0, 0, 0, 0, (30, requests)), 1.0)
    shell.state.rates._second += 1
    for _ in shell.state.rates.look(shell.state.rates._second):
        pass


async def test_it_takes_the_screen_redraws_each_second_and_gives_it_back(shell, person):
    person.type("top\r")
    await raw(person, re.escape(ENTERED))
    await person.sees("SERVICE.*nginx +0.0")
    act(shell)
    await person.sees("nginx +10.0")  # without a key
    person.type("\r")
    await person.sees(r"CONTAINER.*web:80 +10.0.* in")
    person.type("\x1b")
    await person.sees("SERVICE.*nginx")
    person.type("q")
    await raw(person, re.escape(LEFT) + ".*haystack>")
    person.type("version\r")
    await person.sees(r"Haystack \d+\.\d+")


async def test_ctrl_c_ends_it_and_the_screen_is_as_before(shell):
    async with at_terminal(shell, "top") as person:
        await raw(person, re.escape(ENTERED))
        person.type("\x03")
        assert await asyncio.wait_for(person.process.wait(), PATIENCE) == 0
        await raw(person, re.escape(LEFT))


async def test_a_frame_begins_at_the_corner_and_erases_nothing_before(shell, person):
    person.type("top\r")
    await raw(person, r"\x1b\[H.*\x1b\[J.*\x1b\[H.*\x1b\[J")
    first = person.seen.index("\x1b[H")
    assert "\x1b[2J" not in person.seen[first:]
    person.type("q")


async def test_another_size_of_the_terminal_is_drawn_at_once(shell):
    async with at_terminal(shell, "top") as person:
        await person.sees("SERVICE.*q ends")
        fcntl.ioctl(person.descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", 5, 40, 0, 0))
        person.process.send_signal(signal.SIGWINCH)
        await person.sees("r rate  e errors  m p50  p p99  f flig…")
        person.type("q")
        assert await asyncio.wait_for(person.process.wait(), PATIENCE) == 0


@pytest.mark.parametrize("size", [(0, 0), (1, 1), (2**32 - 1, 2**32 - 1)])
async def test_a_terminal_of_any_size_has_a_frame(shell, size):
    private = asyncssh.read_private_key(shell.keys / "good")
    async with asyncssh.connect("127.0.0.1", shell.port, client_keys=[private], known_hosts=None, username="x", config=None) as connection:
        process = await connection.create_process("top", term_type="xterm", term_size=(*size, 0, 0))
        await asyncio.wait_for(process.stdout.readuntil("\x1b[J"), PATIENCE)
        process.change_terminal_size(80, 24)
        await asyncio.wait_for(process.stdout.readuntil("nginx "), PATIENCE)
        process.stdin.write("q")
        await asyncio.wait_for(process.wait(), PATIENCE)
        assert process.exit_status == 0


async def test_it_ends_with_its_client(shell, log):
    async with at_terminal(shell, "top") as person:
        await raw(person, re.escape(ENTERED))
        person.process.kill()
    await log.has("session.ended", reason="the client is gone")


async def test_without_a_terminal_or_on_a_dumb_one_it_is_a_table(shell):
    act(shell)
    status, out, _ = await ssh(shell, "top")
    assert (status, "\x1b" in out, out.endswith("1/1\n")) == (0, False, True)
    assert re.search(r"SERVICE +REQ/S .*nginx +10\.0 ", out, re.DOTALL)
    _, out, _ = await ssh(shell, "top nginx --json")
    assert json.loads(out)[0]["requests"] == 10
    async with at_terminal(shell, "top nginx", term="dumb") as person:
        await raw(person, "web.*10.0")
        assert await asyncio.wait_for(person.process.wait(), PATIENCE) == 0
        assert "\x1b" not in person.seen


async def test_an_unknown_service_or_order_is_told(shell):
    assert (await ssh(shell, "top nowhere"))[0] == 1
    status, _, err = await ssh(shell, "top --sort p98")
    assert (status, "did you mean p99" in err) == (2, True)
