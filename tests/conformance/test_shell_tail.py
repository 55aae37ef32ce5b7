"""`tail` and `trace` with OpenSSH's client: lines while they happen, filters, colour, the end."""

import asyncio
import json

from haystack.observe.trace import ITSELF
from tests.fakes.ssh import NEEDS_SSH, PATIENCE, at_terminal, ssh, started
from tests.fakes.state import NAME, trace

pytestmark = NEEDS_SSH


async def listening(shell):
    """Wait until somebody follows exchanges."""
    async with asyncio.timeout(PATIENCE):
        while not shell.state.traces.interest[0]:  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(0.01)


async def line(process):
    return (await asyncio.wait_for(process.stdout.readline(), PATIENCE)).decode()


async def ended(process):
    process.terminate()
    await asyncio.wait_for(process.communicate(), PATIENCE)


async def test_a_person_sees_lines_in_colour_until_ctrl_c_ends_it_and_it_alone(shell, person):
    person.type("tail nginx --status 5xx\r")
    await person.sees("Ctrl-C or q ends it")
    assert shell.state.traces.interest == (True, NAME)
    shell.state.traces.publish(trace(target="/well"))
    shell.state.traces.publish(trace(target="/sick", status=503, error="destination_unavailable"))
    found = await person.sees(r"503 .*sick.*web.*612B  destination_unavailable")
    assert "/well" not in found[0]
    person.type("\x03")
    await person.sees("haystack>")
    assert shell.state.traces.interest == (False, None)
    person.type("version\r")
    await person.sees(r"Haystack \d+\.\d+")


async def test_q_ends_it_with_status_0_also_as_the_one_command(shell):
    for key in ("q", "\x03"):
        async with at_terminal(shell, "tail") as person:
            await person.sees("ends it")
            person.type(key)
            assert await asyncio.wait_for(person.process.wait(), PATIENCE) == 0


async def test_there_is_a_colour_where_a_terminal_takes_one(shell):
    for term, options, colour in (("xterm", (), True), ("dumb", (), False), ("xterm", ("-o", "SetEnv=NO_COLOR=1"), False)):
        async with at_terminal(shell, "tail", term=term, options=options) as person:
            await person.sees("ends it")
            shell.state.traces.publish(trace(status=404))
            async with asyncio.timeout(PATIENCE):
                while "612B" not in person.seen:
                    person._more.clear()
                    await person._more.wait()
            assert ("\x1b[33m" in person.seen) == colour


async def test_a_script_gets_json_and_is_told_of_lost_lines_apart(shell):
    process = await started(shell, "tail --json")
    await listening(shell)
    shell.state.traces.publish(trace(request_id="abc"))
    assert json.loads(await line(process))["request_id"] == "abc"
    shell.state.traces.lost(7)
    shell.state.traces.publish(trace())
    await line(process)
    assert b"7 lines lost" in await asyncio.wait_for(process.stderr.readline(), PATIENCE)
    await ended(process)


async def test_a_flood_loses_lines_and_says_so(shell):
    process = await started(shell, "tail")
    await listening(shell)
    for number in range(3000):
        shell.state.traces.publish(trace(target=f"/{number}"))
    assert b"2000 lines lost" in await asyncio.wait_for(process.stderr.readline(), PATIENCE)
    assert "/2000 " in await line(process)
    for _ in range(999):
        last = await line(process)
    assert "/2999 " in last
    await ended(process)


async def test_requests_to_haystack_itself_are_shown_where_they_are_asked_for(shell):
    for words, shown in (("tail", False), ("tail --own", True), ("trace on", False), ("trace on --own", True)):
        process = await started(shell, words)
        await listening(shell)
        for service, target in ((ITSELF, "/healthz"), (NAME, "/last")):
            shell.state.traces.publish(trace(service, target=target))
        found = await line(process)
        assert ("/healthz" in found) == shown
        assert "/last" in (await line(process) if shown else found)
        await ended(process)
        async with asyncio.timeout(PATIENCE):
            while shell.state.traces.interest[0]:  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0.01)


async def test_wrong_words_are_told(shell):
    for words in ("tail --status 9xx", "tail --slow soon", "tail --path x", "tail a b"):
        status, _, err = await ssh(shell, words)
        assert (status, "usage: tail" in err) == (2, True)


async def test_it_ends_with_its_client_and_workers_make_no_traces_any_more(shell):
    gone = asyncio.Event()
    process = await started(shell, "tail")
    await listening(shell)
    shell.state.traces.on_change = lambda on, _: on or gone.set()
    process.kill()
    await asyncio.wait_for(gone.wait(), PATIENCE)
    await process.communicate()


async def test_a_removed_key_ends_it_too(shell, log):
    process = await started(shell, "tail")
    await listening(shell)
    shell.file.write_text("# nobody\n")
    await log.has("session.ended", reason="its key was removed, or has expired")
    assert b"its key was removed" in (await asyncio.wait_for(process.communicate(), PATIENCE))[0]
    assert shell.state.traces.interest == (False, None)
