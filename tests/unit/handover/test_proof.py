"""Who may have another Haystack's sockets: whoever may read the folder of its control socket, which no worker may."""

from __future__ import annotations

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from structlog.testing import capture_logs

from haystack.handover import control_socket, proof
from haystack.handover import protocol as wire
from haystack.handover.identity import Memory
from haystack.handover.server import Giver
from haystack.net.sockets import Sockets
from haystack.proxy import landlock

ASK = wire.encoded(wire.Ask(wire.PROTOCOL, "9.9", 4711))
needs_landlock = pytest.mark.skipif(landlock.version() < 1, reason="this kernel has no Landlock")
WORKER = """if True:
    import sys
    from pathlib import Path
    from haystack.handover import client
    from haystack.proxy import sandbox
    sandbox.confine(-1, -1)
    folder = Path(sys.argv[1])
    try:
        print(type(client.ask(folder)).__name__)
    except client.ReplaceError as error:
        print(error)
"""


def opened(path: Path) -> list[str]:
    """This process's descriptors of a folder."""
    return [each.name for each in Path("/proc/self/fd").iterdir() if os.path.lexists(each) and each.readlink() == path]


@pytest.fixture
async def runs(tmp_path: Path) -> AsyncIterator[Path]:
    """The folder of one that runs, and has keys to hand on."""
    giver = Giver(tmp_path, Sockets(), lambda: None, Memory(""), tickets=lambda: ((b"s3cret",), 1.0))
    await giver.start()
    yield tmp_path
    await giver.close()


async def asked(folder: Path, *descriptors: int) -> wire.Any:
    """What a process of the same user hears that sends these along."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as peer:
        peer.setblocking(False)
        peer.connect(str(folder / control_socket.NAME))
        socket.send_fds(peer, [ASK], descriptors)
        return wire.decoded(await asyncio.wait_for(asyncio.get_running_loop().sock_recv(peer, wire.LARGEST), 10))


@needs_landlock
@pytest.mark.untraced
async def test_a_worker_of_the_same_user_gets_nothing_and_is_told_of(runs: Path) -> None:
    """It had the listening sockets, and the keys of TLS sessions, and could have the running one drain."""
    with capture_logs() as logs:
        child = await asyncio.create_subprocess_exec(
            sys.executable, "-c", WORKER, str(runs), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
        )
        told, wrong = await asyncio.wait_for(child.communicate(), 30)
    assert b"does not show that it may read the control socket's folder" in told, (told, wrong)
    assert [(line["event"], str(runs) in line["error"]) for line in logs] == [("handover.failed", True)]


@pytest.mark.parametrize("kind", ["none", "a path", "another", "the parent"])
async def test_what_a_worker_could_send_proves_nothing(runs: Path, kind: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    sent = {
        "none": [],
        "a path": [os.open(runs, os.O_PATH)],  # which can be had of a folder that may not be read
        "another": [os.open(tmp_path_factory.mktemp("other"), os.O_RDONLY)],
        "the parent": [os.open(runs.parent, os.O_RDONLY), os.open(runs / control_socket.NAME, os.O_PATH)],
    }[kind]
    try:
        assert isinstance(await asked(runs, *sent), wire.Refusal)
    finally:
        for each in sent:
            os.close(each)


async def test_the_folder_itself_does_and_nothing_stays_open(runs: Path) -> None:
    mine = os.open(runs, os.O_RDONLY)
    try:
        assert isinstance(await asked(runs, mine), wire.Offer)
        assert await asyncio.to_thread(opened, runs) == [str(mine)]
    finally:
        os.close(mine)


def test_who_can_not_open_the_folder_asks_without(tmp_path: Path) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with ours, theirs:
        proof.send(ours, b"x", tmp_path / "missing")
        assert proof.received(theirs, tmp_path, 10) == (b"x", 0, False)
