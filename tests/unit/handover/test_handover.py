"""Who answers at the control socket is not believed: the start ends with one line, and nothing stays open."""

import asyncio
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from haystack.handover import client, control_socket, proof, standby
from haystack.handover import protocol as wire
from haystack.handover.client import ReplaceError
from haystack.handover.identity import LATELY, Memory, home
from haystack.handover.server import Giver
from haystack.model.services import Override
from haystack.net.sockets import Held, Sockets
from tests.fakes.worker import until


@contextmanager
def liar(folder, say, kind=socket.SOCK_SEQPACKET):
    """A program at the control socket that hears what is asked, says this and hangs up."""
    with socket.socket(socket.AF_UNIX, kind) as listener:
        listener.bind(str(folder / control_socket.NAME))
        listener.listen()
        listener.settimeout(5)

        def once():
            peer, _ = listener.accept()
            with peer:
                peer.recv(wire.LARGEST)
                say(peer)

        thread = threading.Thread(target=once)
        if kind == socket.SOCK_SEQPACKET:
            thread.start()
        yield
    if thread.ident:
        thread.join()


def open_files():
    return {each.name for each in Path("/proc/self/fd").iterdir()}


def offer(count, protocol=wire.PROTOCOL):
    return wire.Offer(protocol, "9.9", 4711, count)


def garbage(peer):
    peer.send(b"\xff\x00 hello")


def too_few(peer):
    wire.send(peer, offer(2))
    with socket.create_server(("127.0.0.1", 0)) as one:
        wire.send(peer, wire.Batch(("http", "dns")), [Held("http", one)])


def deaf(peer):
    wire.send(peer, offer(1))
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        wire.send(peer, wire.Batch(("http",)), [Held("http", one)])


def a_file(peer):
    wire.send(peer, offer(1))
    with Path("/dev/null").open() as one:
        socket.send_fds(peer, [b'{"type":"Batch","names":["http"]}'], [one.fileno()])


def no_orders(peer):
    wire.send(peer, wire.Offer(wire.PROTOCOL, "9.9", 4711, 0, orders=2))
    wire.send(peer, wire.Orders(()))
    wire.send(peer, wire.Released())


@pytest.mark.parametrize(
    ("say", "complaint"),
    [
        (garbage, "it said"),
        (lambda _peer: None, "it closed the connection"),
        (lambda peer: wire.send(peer, wire.Released()), "it said Released"),
        (lambda peer: wire.send(peer, wire.Refusal("later")), "can't be replaced now: later"),
        (lambda peer: wire.send(peer, offer(0, protocol=99)), "process 4711, version 9.9"),
        (too_few, "did not hand over what it offered"),
        (deaf, "does not listen"),
        (a_file, "no socket"),
        (lambda peer: wire.send(peer, offer(1)), "it closed the connection"),
        (lambda peer: wire.send(peer, wire.Offer(wire.PROTOCOL, "9.9", 4711, 0, orders=2)), "it closed the connection"),
        (no_orders, "did not tell the overrides"),
    ],
)
def test_a_liar_is_told_in_one_line_and_leaves_nothing_open(tmp_path, say, complaint):
    before = open_files()
    with liar(tmp_path, say), pytest.raises(ReplaceError) as raised:
        client.ask(tmp_path)
    assert complaint in str(raised.value)
    assert "\n" not in str(raised.value)
    # what an earlier test left to the collector may close meanwhile: only a new one is a leak
    assert open_files() <= before


def test_one_that_is_silent_is_not_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(client, "PATIENCE", 0.1)
    heard = threading.Event()
    with liar(tmp_path, lambda _peer: heard.wait(5)):
        with pytest.raises(ReplaceError, match="does not answer"):
            client.ask(tmp_path)
        heard.set()


def test_the_first_process_of_a_container_is_not_replaced_from_within(tmp_path):
    """As by `docker exec haystack haystack run --replace`: both ended."""
    code = f"""if True:
        from pathlib import Path
        from haystack.handover import client
        from tests.unit.handover.test_handover import liar, offer, wire
        with liar(Path({str(tmp_path)!r}), lambda peer: wire.send(peer, offer(0))):
            try:
                print(client.ask(Path({str(tmp_path)!r})))
            except client.ReplaceError as error:
                print(error)
    """
    words = ["unshare", "--pid", "--fork", "--kill-child", sys.executable, "-c", code]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    if "ermitted" in done.stderr:
        pytest.skip("no PID namespaces here")
    assert "the first process of this container" in done.stdout, done.stderr


def test_another_kind_of_socket(tmp_path):
    with liar(tmp_path, garbage, socket.SOCK_STREAM), pytest.raises(ReplaceError, match="can't ask"):
        client.ask(tmp_path)


class Race(socket.socket):
    """A socket that does this at the very moment when its owner stops listening, before or after that."""

    before = after = staticmethod(lambda: None)

    def shutdown(self, how):
        self.before()
        super().shutdown(how)
        self.after()


@contextmanager
def waiting_in_vain():
    """A predecessor that has not answered in time, its connection on our side, and on its own."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with Race(fileno=ours.detach()) as race, theirs:
        race.settimeout(0.01)
        yield client.Predecessor(race, offer(0), []), race, theirs


def test_released_at_the_last_moment_it_serves():
    with waiting_in_vain() as (old, race, theirs):
        race.before = lambda: wire.send(theirs, wire.Released())
        assert old.release()


def test_once_it_has_given_up_it_can_not_be_released():
    tried = []

    def too_late():
        with pytest.raises(BrokenPipeError):
            wire.send(theirs, wire.Released())
        tried.append(True)

    with waiting_in_vain() as (old, race, theirs):
        race.after = too_late
        with pytest.raises(ReplaceError, match="does not answer"):
            old.release()
    assert tried


@asynccontextmanager
async def one_that_runs(folder, memory=None, handed=(), overrides=()):
    """Its control socket, and whether it drains."""
    drains = asyncio.Event()
    giver = Giver(folder, Sockets(handed), drains.set, memory or Memory(""), overrides=lambda: overrides)
    await giver.start()
    try:
        yield giver, drains
    finally:
        await giver.close()


async def one_that_takes_over(folder):
    """What it knows of the other one; of the sockets it gets only the connection stays open."""
    old = await asyncio.to_thread(client.ask, folder)
    for each in old.sockets:
        each.sock.close()
    return old


async def test_it_drains_when_the_other_one_was_told(tmp_path):
    async with one_that_runs(tmp_path) as (giver, drains):
        new = await one_that_takes_over(tmp_path)
        assert await asyncio.to_thread(new.release)
        assert (giver.released, drains.is_set()) == (True, True)


@pytest.mark.parametrize("count", [0, 1, 8, 9, 20_000])
async def test_overrides_go_to_the_other_one_however_many_they_are_and_do_not_change_meanwhile(tmp_path, count):
    longest = "\x01" * 200
    overrides = tuple(
        Override(scope="endpoint", target=f"{n}:80/tcp", name=longest, by=longest[:100], why=longest, at=float(n)) for n in range(count)
    )
    async with one_that_runs(tmp_path, overrides=overrides) as (giver, _):
        new = await one_that_takes_over(tmp_path)
        assert new.overrides == overrides
        assert giver.busy
        assert await asyncio.to_thread(new.release)
        assert giver.busy


async def test_one_that_gives_up_keeps_nobody_from_changing_overrides(tmp_path):
    async with one_that_runs(tmp_path) as (giver, _):
        new = await one_that_takes_over(tmp_path)
        with capture_logs() as logs:
            new.close()
            await asyncio.to_thread(until, lambda: logs, 5, "it says nothing")
        assert not giver.busy


async def test_one_of_a_version_that_does_not_know_of_overrides_is_told_of_none(tmp_path):
    one = Override(scope="service", target="web.services.haystack", name="web", by="eve", at=1.0)
    async with one_that_runs(tmp_path, overrides=(one,)):
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as peer:
            peer.setblocking(False)
            peer.connect(str(tmp_path / control_socket.NAME))
            proof.send(peer, b'{"type":"Ask","protocol":1,"version":"0.1","pid":1}', tmp_path)
            answer = await asyncio.get_running_loop().sock_recv(peer, wire.LARGEST)
            assert wire.decoded(answer).orders is None


async def test_it_serves_on_when_the_other_one_has_given_up_meanwhile(tmp_path):
    async with one_that_runs(tmp_path) as (giver, drains):
        new = await one_that_takes_over(tmp_path)
        with capture_logs() as logs:
            wire.send(new._peer, wire.Release())  # it is not heard before this task waits
            new.close()
            await asyncio.to_thread(until, lambda: logs, 5, "it says nothing")
        assert [line["event"] for line in logs] == ["handover.failed"]
        assert (giver.released, drains.is_set()) == (False, False)
        again = await one_that_takes_over(tmp_path)
        assert await asyncio.to_thread(again.release)


async def test_it_can_be_replaced_still_after_files_have_run_out(tmp_path, monkeypatch):
    monkeypatch.setattr("haystack.handover.server.PAUSE", 0.01)
    async with one_that_runs(tmp_path) as (giver, _):
        before = resource.getrlimit(resource.RLIMIT_NOFILE)
        with capture_logs() as logs, socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as peer:
            resource.setrlimit(resource.RLIMIT_NOFILE, (peer.fileno(), before[1]))
            try:
                peer.connect(str(tmp_path / control_socket.NAME))
                await asyncio.to_thread(until, lambda: logs, 5, "it says nothing")
            finally:
                resource.setrlimit(resource.RLIMIT_NOFILE, before)
        assert logs[0]["error"] == "Too many open files"
        new = await one_that_takes_over(tmp_path)
        assert await asyncio.to_thread(new.release)
        assert giver.released


def test_nobody_and_an_abandoned_name_are_nobody(tmp_path):
    assert client.ask(tmp_path) is None
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as gone:
        gone.bind(str(tmp_path / control_socket.NAME))
    assert client.ask(tmp_path) is None


def test_what_is_handed_over_is_used_where_it_fits_and_nothing_else_is_opened_there():
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as two:
        port = one.getsockname()[1]
        sockets = Sockets([Held("ssh", two), Held("http", one), Held("http", two)])
        assert sockets.tcp("http", "127.0.0.1", port, 8, shared=True) is one
        assert list(sockets.surplus("http", "127.0.0.1", port)) == []
        assert sockets.tcp("ssh", "127.0.0.1", 0, 8) is two
        sockets.refuse_rest()
        assert two.fileno() == -1, "what is of no use is closed"


def test_a_further_socket_gets_no_client_before_it_is_told_to_listen():
    with socket.socket() as old:
        old.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        old.bind(("127.0.0.1", 0))
        old.listen()
        port = old.getsockname()[1]
        sockets = Sockets([Held("http", old)])
        sockets.tcp("http", "127.0.0.1", port, 8, shared=True)
        further = sockets.tcp("http", "127.0.0.1", port, 8, shared=True)
        assert not further.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        sockets.listen()
        assert further.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN)
        sockets.close()


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


def test_who_was_replaced_of_late_is_remembered_for_a_while_and_handed_on():
    clock = Clock()
    first, second = Memory("b", clock), Memory("c", clock)
    first.replaced("a")
    clock.now += LATELY - 1
    second.heard(first.told())
    second.replaced("b")
    assert (second.lately("a"), second.lately("b"), second.lately("c")) == (True, True, False)
    clock.now += 2
    assert (second.lately("a"), second.lately("b")) == (False, True)


def test_a_reloaded_service_and_who_lives_nowhere_may_replace_at_once():
    memory = Memory("a")
    memory.replaced("a")
    memory.replaced("")
    assert memory.told() == ()


def test_a_home_is_the_container_else_the_control_group(tmp_path):
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "cgroup").write_text("0::/system.slice/haystack.service\n")
    assert home(tmp_path) == "0::/system.slice/haystack.service"
    (tmp_path / "self" / "mountinfo").write_text(f"1 2 8:1 /var/lib/docker/containers/{'a' * 64}/hostname /etc/hostname rw\n")
    assert home(tmp_path) == "a" * 64


async def test_one_that_was_replaced_and_is_started_again_waits_until_nobody_serves(tmp_path):
    """Two containers with `--restart unless-stopped` replaced each other seven times in 15 s."""
    memory = Memory("b")
    memory.replaced("a")
    async with one_that_runs(tmp_path, memory) as (_, drains):
        waiting = asyncio.create_task(standby.predecessor(tmp_path, "a"))
        with capture_logs() as logs:
            await asyncio.to_thread(until, lambda: logs, 5, "it says nothing")
        assert logs[0]["event"] == "handover.waiting"
        other = await asyncio.to_thread(client.ask, tmp_path, "c")
        assert isinstance(other, client.Predecessor), "somebody else may replace it meanwhile"
        assert await asyncio.to_thread(other.release)
        assert drains.is_set()
    async with one_that_runs(tmp_path, handed=other.sockets):
        assert not waiting.done(), "it waits for the next one too, which has never heard of it"
    assert await asyncio.wait_for(waiting, 5) is None


async def test_one_that_waits_can_be_told_to_stop(tmp_path):
    memory = Memory("b")
    memory.replaced("a")
    async with one_that_runs(tmp_path, memory):
        waiting = asyncio.create_task(standby.predecessor(tmp_path, "a"))
        with capture_logs() as logs:
            await asyncio.to_thread(until, lambda: logs, 5, "it says nothing")
        os.kill(os.getpid(), signal.SIGTERM)
        with pytest.raises(standby.StoppedError):
            await asyncio.wait_for(waiting, 5)


async def test_the_next_one_hears_of_ticket_keys_and_their_age(tmp_path):
    keys = (b"k" * 80,)
    giver = Giver(tmp_path, Sockets(()), lambda: None, Memory(""), tickets=lambda: (keys, 7.0))
    await giver.start()
    found = await one_that_takes_over(tmp_path)
    assert (found.ticket_keys, found.ticket_age) == (keys, 7.0)
    found.close()
    await giver.close()


def test_one_that_says_no_age_of_its_keys_is_understood():
    old = b'{"type":"Offer","protocol":1,"version":"1","pid":1,"sockets":0,"ticket_keys":["aw=="]}'
    assert wire.decoded(old).ticket_age == 0.0


async def test_one_that_may_not_write_its_state_folder_is_found_by_another_user_that_it_trusts(tmp_path, monkeypatch):
    """As one that is started as root to replace one that has given root up; a stranger's folder beside it is not looked at."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    state = tmp_path / ("x" * 100)
    async with one_that_runs(state):
        (folder,) = tmp_path.glob("haystack-*")
        monkeypatch.setattr(control_socket, "control", lambda _: tmp_path / "elsewhere" / control_socket.NAME)
        (await one_that_takes_over(state)).close()
        monkeypatch.setattr(control_socket, "owner", lambda _: 12345)
        assert client.ask(state) is None
    assert folder


async def test_a_socket_that_this_user_may_not_use_is_told_with_who_may(tmp_path, monkeypatch):
    async with one_that_runs(tmp_path):
        monkeypatch.setattr(socket.socket, "connect", lambda *_: (_ for _ in ()).throw(PermissionError(13, "Permission denied")))
        with pytest.raises(ReplaceError, match=f"permission denied: do so as user {os.geteuid()}"):
            client.ask(tmp_path)
