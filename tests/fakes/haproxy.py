"""A real HAProxy before or behind Haystack, for what only another implementation can show."""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.fakes.ports import free_port
from tests.fakes.worker import until


@contextmanager
def haproxy(folder: Path, server: str, *front: str, bind: str = "") -> Iterator[int]:
    """A HAProxy with one server behind it; its port."""
    port = free_port()
    mode = next((each for each in front if each.startswith("mode")), "mode http")
    rows = ["defaults", " timeout connect 5s", " timeout client 5s", " timeout server 5s", "frontend f", *(f" {each}" for each in front)]
    rows += [f" bind 127.0.0.1:{port} {bind}", " default_backend b", "backend b", f" {mode}", f" {server}"]
    config = folder / "haproxy.cfg"
    config.write_text("\n".join(rows) + "\n")
    process = subprocess.Popen(["haproxy", "-db", "-f", config], stderr=subprocess.PIPE)
    try:
        until(lambda: accepts(port), 10, "haproxy does not listen")
        yield port
    finally:
        process.kill()
        process.communicate()


def accepts(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 1).close()
    except OSError:
        return False
    return True
