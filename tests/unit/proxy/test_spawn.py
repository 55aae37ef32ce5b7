"""Starting a worker costs the control process the same, however much memory it has."""

import asyncio
import os
import subprocess
import sys
import time
from pathlib import Path

from haystack.proxy.spawn import Spares, spawn

LIMIT = 10.0

# glibc calls these before fork(2), as pthread_atfork(3) has it; there is nothing to call before vfork(2)
COPIES = """
import asyncio, ctypes, os
import uvloop
from haystack.proxy import spawn

copies = []
note = ctypes.CFUNCTYPE(None)(lambda: copies.append(1))
ctypes.CDLL(None)["__register_atfork"](note, None, None, None)
if (child := os.fork()) == 0:
    os._exit(0)
os.waitpid(child, 0)
assert copies == [1], "the test notices a fork"

async def main():
    spares = spawn.Spares()
    spares.refill()
    taken = await spares.take()
    await taken.discard()
    spares.refill()
    await spares.close()

uvloop.run(main())
print(len(copies) - 1)
"""


def test_workers_and_spares_start_without_a_copy_of_the_page_tables_of_the_control_process():
    done = subprocess.run([sys.executable, "-c", COPIES], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "0"


def there(pid):
    return Path(f"/proc/{pid}").exists()


async def test_a_worker_that_has_ended_is_known_to_have_with_its_status_and_is_no_zombie():
    worker = spawn()
    assert worker.alive
    assert worker.process.poll() is None
    os.kill(worker.process.pid, 9)
    await asyncio.wait_for(worker.ended(), LIMIT)
    assert not worker.alive
    assert worker.process.poll() == -9
    assert not there(worker.process.pid)
    await worker.discard()


async def test_a_worker_that_nobody_gives_work_ends_with_its_channel():
    worker = spawn()
    worker.sock.close()
    await asyncio.wait_for(worker.ended(), LIMIT)
    assert worker.process.poll() is not None
    began = time.monotonic()
    await worker.end()
    assert time.monotonic() - began < LIMIT


async def test_those_that_were_started_ahead_are_taken_first_and_none_that_has_died():
    dead, alive = spawn(), spawn()
    dead.process.kill()
    await asyncio.wait_for(dead.ended(), LIMIT)
    ahead = [alive, dead]
    taken = await Spares(processes=ahead).take()
    assert (taken, ahead) == (alive, [])
    await taken.discard()
    assert dead.sock.fileno() == -1
