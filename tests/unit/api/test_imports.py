"""What the web side needs is imported before the event loop runs."""

import subprocess
import sys

SCRIPT = """
import asyncio, sys
from pathlib import Path
from starlette.applications import Starlette
from haystack.api.server import Door

async def main():
    door = Door(Starlette(), Path(sys.argv[1]), None)
    before = set(sys.modules)
    await door.start()
    await door.close()
    print(sorted(set(sys.modules) - before))

asyncio.run(main())
"""


def test_a_start_of_the_web_side_imports_nothing(tmp_path):
    """The import of what reads requests took 10 ms of the control loop."""
    done = subprocess.run([sys.executable, "-c", SCRIPT, str(tmp_path / "s")], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
