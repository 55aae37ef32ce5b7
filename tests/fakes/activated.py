"""Haystack as systemd starts it: with the sockets that the units of deploy/systemd have opened, and a socket to tell that it is ready.

The units are read as they stand; only their ports are replaced by free ones.
"""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import threading
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self, TextIO

from tests.fakes.ports import free_port
from tests.fakes.worker import STARTED, Member, command, environment, until

UNITS = Path(__file__).resolve().parents[2] / "deploy" / "systemd"
USUAL = {"http": 80, "http-alt": 8080, "dns": 53, "ssh": 22022, "https": 443}
# It becomes the command, and so has the very process id that it writes down.
BECOME = """import os, sys
sys.argv[1:2], fds = [], list(map(int, sys.argv[1].split(",")))
high = [os.dup2(fd, 200 + n) for n, fd in enumerate(fds)]
for n, fd in enumerate(high): os.dup2(fd, 3 + n)
os.environ |= {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(fds))}
os.execv(sys.argv[1], sys.argv[1:])
"""
KINDS = {"Stream": socket.SOCK_STREAM, "Datagram": socket.SOCK_DGRAM}


def listening(kind: int, address: str, port: int) -> socket.socket:
    """As systemd makes one, with BindIPv6Only=ipv6-only."""
    made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, kind)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if ":" in address:
        made.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
    made.bind((address, port))
    if kind == socket.SOCK_STREAM:
        made.listen(4096)
    return made


class Systemd:
    """The sockets of units, and the process that has them. units: the names of listeners; ports: which each has now."""

    def __init__(self, folder: Path, *units: str) -> None:
        self.folder = folder
        self.ports = {name: free_port() for name in units}
        self.sockets: list[tuple[str, socket.socket | TextIO]] = []
        with ExitStack() as opened:
            for name in units:
                text = (UNITS / f"haystack-{name}.socket").read_text()
                (own,) = re.findall(r"^FileDescriptorName=(\S+)$", text, re.MULTILINE)
                for kind, address, port in re.findall(r"^Listen(Stream|Datagram)=\[?([0-9.:]+?)\]?:(\d+)$", text, re.MULTILINE):
                    assert int(port) == USUAL[name]
                    self.sockets.append((own, opened.enter_context(listening(KINDS[kind], address, self.ports[name]))))
            self.notified = opened.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
            self.notified.bind(str(folder / "notify"))
            self.notified.settimeout(40)
            self._opened = opened.pop_all()
        self.process: subprocess.Popen[bytes] | None = None
        self.lines: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process is not None and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
        self._opened.close()

    def start(self, *members: Member, **settings: str) -> subprocess.Popen[bytes]:
        """Start Haystack with them."""
        static = self.folder / "static.toml"
        static.write_text("\n".join(member.toml(number) for number, member in enumerate(members)))
        own = {f"HAYSTACK_{name.upper().replace('-', '_')}_PORT": str(port) for name, port in self.ports.items()}
        told = {"NOTIFY_SOCKET": str(self.folder / "notify"), "LISTEN_FDNAMES": ":".join(name for name, _ in self.sockets)}
        fds = [sock.fileno() for _, sock in self.sockets]
        self.process = subprocess.Popen(
            [sys.executable, "-c", BECOME, ",".join(map(str, fds)), *map(str, command())],
            env=environment(static, self.folder / "state", own | told | {"HAYSTACK_BIND": ""} | settings),
            pass_fds=fds,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        STARTED.append(self.process)
        self.lines = []
        threading.Thread(target=self._read, args=(self.process,), daemon=True).start()
        return self.process

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stderr
        with process.stderr:
            for line in process.stderr:
                self.lines.append(json.loads(line) if line.startswith(b"{") else {"event": "", "text": line.decode().strip()})

    def ready(self) -> None:
        """Wait until it says so."""
        while self.notified.recv(100) != b"READY=1":
            pass

    def stop(self) -> None:
        """SIGTERM; the end must be clean."""
        assert self.process is not None
        self.process.terminate()
        assert self.process.wait(20) == 0, self.lines[-5:]
        until(lambda: any(line["event"] == "haystack.stopped" for line in self.lines), 9, "it has not said so")
