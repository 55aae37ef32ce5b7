"""What is loaded when it is needed first: another thread imports it, and a client that came waits unaccepted."""

import asyncio
import socket
import sys
import threading

import pytest

from haystack.loop import on_demand


async def test_another_thread_imports_it_and_once(tmp_path, monkeypatch):
    (tmp_path / "large_library.py").write_text("import threading\nBY = threading.current_thread()\n")
    monkeypatch.syspath_prepend(tmp_path)
    first, again = await asyncio.gather(on_demand.module("large_library"), on_demand.module("large_library"))
    assert first is again is sys.modules.pop("large_library")
    assert first.BY is not threading.main_thread()


async def test_what_can_not_be_imported_is_an_error_each_time():
    for _ in range(2):
        with pytest.raises(ModuleNotFoundError):
            await on_demand.module("no_such_library")


async def test_the_first_client_of_any_socket_is_waited_for_and_not_accepted():
    with socket.create_server(("127.0.0.1", 0)) as one, socket.create_server(("127.0.0.1", 0)) as other:
        waiting = asyncio.create_task(on_demand.client([one, other]))
        await asyncio.sleep(0)
        assert not waiting.done()
        with socket.create_connection(other.getsockname()):
            await asyncio.wait_for(waiting, 10)
            other.accept()[0].close()


async def test_what_fails_to_begin_is_tried_again_for_the_next_client(monkeypatch):
    monkeypatch.setattr(on_demand, "PAUSE", 0.01)
    tries: list[int] = []

    async def begin() -> None:
        tries.append(1)
        if len(tries) < 3:
            raise OSError("no more files")

    with socket.create_server(("127.0.0.1", 0)) as door, socket.create_connection(door.getsockname()):
        await asyncio.wait_for(on_demand.served([door], begin, "shell"), 10)
    assert len(tries) == 3
