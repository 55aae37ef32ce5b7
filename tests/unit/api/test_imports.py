"""What the web side needs is imported with its first request, and not by the event loop's thread."""

import subprocess
import sys

SCRIPT = """
import asyncio, sys, threading
from pathlib import Path
from haystack.api.server import ApiServer
from tests.fakes.state import state

by = {"loop": [], "others": []}
def hear(event, args):
    if event == "import":
        by["loop" if threading.current_thread() is threading.main_thread() else "others"].append(args[0])

async def main():
    path = Path(sys.argv[1])
    server = ApiServer(state(), path)
    await asyncio.to_thread(int)
    sys.addaudithook(hear)
    await server.start()
    print("starlette" in sys.modules)
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b"GET /api/info HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\n\\r\\n")
    print((await reader.read()).split(b"\\r\\n")[0])
    writer.close()
    await server.close()
    print(by["loop"], "starlette.applications" in by["others"])

asyncio.run(main())
"""


def test_the_web_side_is_imported_with_its_first_request_and_not_by_the_loop(tmp_path):
    """The import of what reads requests took 10 ms of the control loop, and all of it 70 ms of each start and 7 MiB."""
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path / "s")], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.splitlines() == ["False", "b'HTTP/1.1 200 OK'", "[] True"], done.stderr
