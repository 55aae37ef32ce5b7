"""An engine of our own in a network namespace of its own: one that may be restarted, for nobody else's containers are in it.

Needs root, dockerd and iproute2. Whatever is to reach its containers has to be inside() its namespace. Nothing is pulled: its images
are copied from another engine. Nothing of it is left behind.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import docker
import docker.errors
import requests

NEEDS = ("dockerd", "nsenter", "ip", "umount")
LIMIT = 60.0
NAMESPACES = Path("/run/netns")
NEWNET = 0x40000000  # CLONE_NEWNET of setns(2)


def missing() -> str:
    """What such an engine would need and this machine has not; empty where it can be had."""
    absent = [program for program in NEEDS if not shutil.which(program)]
    return "root" if os.geteuid() else ", ".join(absent)


class Node:
    """dockerd, from the beginning to the end of a `with` block. images: copied from the engine of `source`.

    live_restore: its containers outlive it; else they end with it.
    """

    def __init__(self, source: docker.DockerClient, images: Sequence[str], *, live_restore: bool = True) -> None:
        self.source = source
        self.images = images
        self.live_restore = live_restore
        self.name = f"haystack-{os.getpid()}"
        self.folder = Path()
        self.client: docker.DockerClient | None = None
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def host(self) -> str:
        """Its DOCKER_HOST."""
        return f"unix://{self.folder}/docker.sock"

    def __enter__(self) -> Self:
        self.folder = Path(tempfile.mkdtemp(prefix="haystack-engine-"))
        try:
            run("ip", "netns", "add", self.name)
            run("ip", "-n", self.name, "link", "set", "lo", "up")
            self._launch()
            self.client = docker.DockerClient(base_url=self.host, timeout=LIMIT)
            for image in self.images:
                self.client.images.load(self.source.images.get(image).save(named=True))
        except BaseException:
            self.__exit__()
            raise
        return self

    def _launch(self) -> None:
        """Start it; return when it answers. Raises RuntimeError."""
        folders = [f"--{name}={self.folder}/{name.partition('-')[0]}" for name in ("data-root", "exec-root", "pidfile")]
        daemon = ["dockerd", *folders, "-H", self.host, *(["--live-restore"] if self.live_restore else [])]
        with (self.folder / "log").open("ab") as log:
            # a session of its own: what interrupts us must not end it before its containers have gone
            line = ["nsenter", f"--net={NAMESPACES / self.name}", *daemon]
            self.process = subprocess.Popen(line, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        end = time.monotonic() + LIMIT
        while not self.answers():
            if self.process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"dockerd did not start: {(self.folder / 'log').read_text(errors='replace')[-2000:]}")
            time.sleep(0.05)

    def answers(self) -> bool:
        """Whether it does."""
        with socket.socket(socket.AF_UNIX) as asked:
            try:
                asked.connect(f"{self.folder}/docker.sock")
                asked.sendall(b"GET /_ping HTTP/1.0\r\n\r\n")
                return b" 200 " in asked.recv(100)
            except OSError:
                return False

    def restart(self) -> None:
        """End it and start it again, as an upgrade does."""
        self._end()
        self._launch()

    def _end(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(LIMIT)

    def __exit__(self, *exc: object) -> None:
        if self.client:
            with suppress(docker.errors.DockerException, requests.RequestException):
                for container in self.client.containers.list(all=True):
                    container.remove(force=True, v=True)
            self.client.close()
        self._end()
        mounted = [line.split()[1] for line in Path("/proc/mounts").read_text().splitlines()]
        for place in sorted((m for m in mounted if m.startswith(f"{self.folder}/")), reverse=True):
            run("umount", "-l", place)
        if (NAMESPACES / self.name).exists():
            run("ip", "netns", "del", self.name)
        shutil.rmtree(self.folder)

    @contextmanager
    def inside(self) -> Iterator[None]:
        """Within it this thread, and every process and thread that it starts, has the engine's network instead of this machine's."""
        with Path("/proc/thread-self/ns/net").open("rb") as home, (NAMESPACES / self.name).open("rb") as there:
            enter(there.fileno())
            try:
                yield
            finally:
                enter(home.fileno())


def enter(namespace: int) -> None:
    """Put this thread into that network namespace: setns(2), which Python has from 3.12 on only. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, f"setns: {os.strerror(number)}")


def run(*command: Any) -> None:
    """Run it. Raises CalledProcessError."""
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, timeout=LIMIT)
