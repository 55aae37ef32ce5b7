"""What takes the whole screen of the shell: long lists, and commands that go on for a while. OpenSSH's client at a terminal."""

import asyncio
from types import SimpleNamespace

import pytest

from haystack.console import shell as commands
from haystack.console import welcome
from haystack.console.command import Command
from haystack.loop.turns import at_once
from haystack.model.services import Service
from tests.fakes.ssh import NEEDS_SSH, PATIENCE, ssh, started
from tests.fakes.state import ENDPOINT

pytestmark = NEEDS_SSH
MANY = 60


def crowd(shell):
    """So many services."""
    picture = shell.state.snapshot
    names = [f"s{n:03}.services.haystack" for n in range(MANY)]
    picture.services = {name: Service(name=name, endpoints=(ENDPOINT,)) for name in names}


async def test_a_list_that_is_longer_than_the_screen_stops_at_each_page(shell, person):
    crowd(shell)
    person.type("services\r")
    await person.sees(r"s020.*-- 23 of 62 lines.*q ends --")
    person.type(" ")
    await person.sees(r"s021.*s043.*-- 46 of 62")
    person.type("\r")
    await person.sees(r"s044.*-- 47 of 62")
    person.type("x ")
    await person.sees(r"s059.*haystack>")
    person.type("version\r")
    await person.sees(r"Haystack \d+\.\d+")


@pytest.mark.parametrize("key", ["q", "\x03", "\x04"])
async def test_it_ends_where_one_has_seen_enough(shell, person, key):
    crowd(shell)
    person.type("services\r")
    await person.sees("-- 23 of 62")
    person.type(key)
    await person.sees("haystack>")
    person.type("version\r")
    found = await person.sees(r"(.*)Haystack \d+\.\d+")
    assert "s059" not in found[1]


async def test_without_a_terminal_a_list_comes_whole(shell):
    crowd(shell)
    _, out, _ = await ssh(shell, "services")
    assert len(out.splitlines()) == MANY + 2


@pytest.fixture
def waits(monkeypatch):
    """A command that says each key, and ends with q: status 5."""
    ended = asyncio.Event()

    async def run(_state, _asked, _context, talk):
        try:
            await talk.line(f"goes on, {talk.size[0]} columns, {'with' if talk.terminal else 'without'} a terminal")
            while (key := await talk.key(PATIENCE)) != "q":
                await talk.line(f"<{key}>")
        finally:
            ended.set()
        return 5

    monkeypatch.setitem(commands.COMMANDS, "waits", Command("waits", "waits", live=run))
    return SimpleNamespace(ended=ended)


async def test_a_command_that_goes_on_has_the_keys_and_then_the_prompt_has_them(person, waits):
    person.type("waits\r")
    await person.sees("goes on, 80 columns, with a terminal")
    person.type("a\x1b[A\r")
    await person.sees("<a>.*<up>.*<enter>")
    person.type("q")
    await person.sees("haystack>")
    person.type("version\r")
    await person.sees(r"Haystack \d+\.\d+")


async def test_ctrl_c_ends_the_command_and_not_the_session(person, waits):
    person.type("waits\r")
    await person.sees("goes on")
    person.type("\x03")
    await person.sees("haystack>")
    assert waits.ended.is_set()
    person.type("version\r")
    await person.sees(r"Haystack \d+\.\d+")


async def test_its_exit_status_is_that_of_ssh(shell, waits):
    process = await started(shell, "waits")
    assert b"without a terminal" in await asyncio.wait_for(process.stdout.readline(), PATIENCE)
    process.terminate()  # the client: the command ends with its channel
    await asyncio.wait_for(waits.ended.wait(), PATIENCE)
    await process.communicate()


async def test_lines_from_a_pipe_wait_until_it_has_ended(shell, monkeypatch):
    async def run(_state, _asked, _context, talk):
        await talk.line("first")
        await talk.complain("odd")
        return 1

    monkeypatch.setitem(commands.COMMANDS, "short", Command("short", "short", live=run))
    status, out, err = await ssh(shell, typed=b"short\nversion\n")
    assert (status, out.split("\n")[0], err) == (1, "first", "odd\n")
    assert "Haystack" in out


async def test_one_that_fails_says_so_and_the_session_goes_on(shell, person, monkeypatch):
    async def run(_state, _asked, _context, _talk):
        raise RuntimeError("a fault")

    monkeypatch.setitem(commands.COMMANDS, "fails", Command("fails", "fails", live=run))
    person.type("fails\r")
    await person.sees("the command failed; the log says why.*haystack>")


async def test_a_person_is_greeted_with_the_state_in_five_lines(shell):
    shell.state.proxy.errors = {("connection_timeout", 504): 2, ("destination_not_found", 404): 9}
    lines = at_once(welcome.lines(shell.state))
    assert len(lines) == 5
    assert lines[0].startswith("Haystack ")
    assert lines[1] == "1 service; 1 endpoint ready, 0 out; 1 container on 1 engine"
    assert lines[2].endswith("2 ended without an answer or with an error of Haystack's own")
    assert lines[3] == "problem: web: label haystack.port: not a port"
