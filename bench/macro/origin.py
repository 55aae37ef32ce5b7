"""What stands behind the proxies: nginx with small and large bodies from memory, and the sink that takes uploads."""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

from bench.macro.peers import Nginx
from bench.macro.process import Process
from tests.fakes.ports import free_port

BODY = "Haystack finds the needle: this body has sixty-six bytes, exactly."
SIZES = {"/64k": 64 * 1024, "/1m": 1024 * 1024}
MEMORY = Path("/dev/shm")  # noqa: S108 - made by TemporaryDirectory
SERVER = """open_file_cache max=16; server {{ listen {place}:{port} backlog=4096; default_type text/plain;
    location = / {{ return 200 '{body}'; }} location / {{ root {files}; }} }}"""


class Origin(Nginx):
    """nginx that answers / with BODY, /64k and /1m with as many bytes. wide: on every loopback address, for many endpoints."""

    name = "origin"

    def __init__(self, *, wide: bool = False) -> None:
        super().__init__()
        self._place = "0.0.0.0" if wide else "127.0.0.1"
        self._files = tempfile.TemporaryDirectory(prefix="haystack-bench-", dir=MEMORY if MEMORY.is_dir() else None)

    def start(self) -> None:
        """Start on a free port."""
        for path, size in SIZES.items():
            (Path(self._files.name) / path[1:]).write_bytes(content(path, size))
        self.port = free_port()
        self.configure(SERVER.format(place=self._place, port=self.port, body=BODY, files=self._files.name))

    def stop(self) -> None:
        """End it, and forget the bodies."""
        super().stop()
        self._files.cleanup()


class SinkOrigin(Process):
    """The sink: every request's body is read whole before it answers with BODY."""

    name = "origin"

    def start(self) -> None:
        """Start on a free port."""
        self.port = free_port()
        self.launch(sys.executable, "-m", "bench.macro.sink", str(self.port), BODY)


def content(path: str, size: int = 0) -> bytes:
    """The body of a path of the origin."""
    return (f"{path} ".encode() * (size or SIZES[path]))[: size or SIZES[path]] if path in SIZES else BODY.encode()
