"""`python -m bench.loop.engine PORT SIZE NETWORKS`: an engine of so many containers, which do what it is told in lines.

It prints where it listens. `changes RATE`: so many containers a second are told to stop, and run again; `deploy COUNT`: so many at once;
`relist`: every event stream ends, so that all is listed anew; `network`: one more comes; `still`: nothing more happens; `grow COUNT`: so
many more start, and it prints when the last one did (seconds, monotonic). What it tells of a
container is as long as what an engine tells.
"""

from __future__ import annotations

import itertools
import queue
import sys
import threading
import time
from typing import Any

from tests.fakes.engine import BRIDGE, FakeEngine, inspected, rfc3339

A_SERVICE = 10
FILLER = {f"Setting{n}": None if n % 3 else ["default", "value"] for n in range(60)}  # HostConfig has as many
MOUNTS = [
    {"Type": "volume", "Name": "d" * 64, "Source": "/var/lib/docker/volumes/x/_data", "Destination": "/data", "Mode": "z", "RW": True}
]


def address(number: int) -> str:
    """Of one container: all of them are this machine."""
    return f"127.1.{number // 250}.{number % 250 + 1}"


def container(number: int, port: int) -> dict[str, Any]:
    """What an engine tells of one; neighbours in the order of ids are in different services."""
    place = {
        "NetworkID": BRIDGE,
        "IPAddress": address(number),
        "MacAddress": "02:42:ac:11:00:02",
        "EndpointID": "e" * 64,
        "Gateway": "127.0.0.1",
    }
    config = {
        "Image": "registry.example/shop/app:1.2", "ExposedPorts": {f"{port}/tcp": {}},
        "Labels": {"haystack.port": str(port)} | {f"org.example.label{n}": "some value or other" for n in range(12)},
        "Env": [f"VARIABLE_{n}=value" for n in range(20)], "Cmd": ["serve"], "WorkingDir": "/app",
    }  # fmt: skip
    return inspected(
        number, f"g{number // A_SERVICE}-{number}", Config=config, HostConfig=FILLER | {"NetworkMode": "default"}, Mounts=MOUNTS,
        NetworkSettings={"Ports": {f"{port}/tcp": None}, "Networks": {"bridge": place}},
    )  # fmt: skip


def network(number: int) -> dict[str, Any]:
    """What an engine tells of one."""
    pool = {"Subnet": f"10.{number >> 8}.{number & 255}.0/24", "Gateway": f"10.{number >> 8}.{number & 255}.1"}
    return {"Id": f"{number:064x}", "Name": f"net{number}", "Scope": "local", "Driver": "bridge", "IPAM": {"Config": [pool]}, "Labels": {}}


class Site:
    """The engine, and what happens there."""

    def __init__(self, engine: FakeEngine, port: int, size: int, networks: int) -> None:
        self.engine = engine
        self.ids = [engine.add(container(n, port), event=False) for n in range(size)]
        engine.networks += [network(n) for n in range(networks)]
        self._port = port
        self._next = itertools.cycle(self.ids[::7] + self.ids[3::7])

    def obey(self, line: str) -> float:
        """Do this; changes a second from now on."""
        word, *more = line.split()
        if word == "relist":
            self.engine.cut()
        if word == "network":
            self.engine.networks.append(network(len(self.engine.networks)))
            self.engine.emit("create", self.engine.networks[-1]["Id"], "network")
        if word == "deploy":
            for identity in itertools.islice(self._next, int(more[0])):
                self.restart(identity)
        if word == "grow":
            print(self.grow(int(more[0])), flush=True)
        return float(more[0]) if word == "changes" else 0.0

    def grow(self, count: int) -> float:
        """So many more start; when the last one did."""
        began = 0.0
        for _ in range(count):
            raw = container(len(self.ids), self._port)
            began = time.monotonic()
            self.ids.append(self.engine.add(raw))
        return began

    def restart(self, identity: str) -> None:
        """One is told to stop, ends and runs again."""
        self.engine.emit("kill", identity, signal="15")
        self.engine.emit("die", identity, exitCode="0")
        self.engine.containers[identity]["State"]["StartedAt"] = rfc3339(time.time())
        self.engine.emit("start", identity)

    def change(self) -> None:
        """The next one is restarted."""
        self.restart(next(self._next))


def main(port: int, size: int, networks: int) -> None:
    """Until the end of the input."""
    lines: queue.SimpleQueue[str] = queue.SimpleQueue()
    with FakeEngine() as engine:
        site = Site(engine, port, size, networks)
        print(engine.host, flush=True)

        def listen() -> None:
            for line in sys.stdin:
                lines.put(line)
            lines.put("")

        threading.Thread(target=listen, daemon=True).start()
        rate = 0.0
        while True:
            try:
                line = lines.get(timeout=1 / rate if rate else None)
            except queue.Empty:
                site.change()
                continue
            if not line:
                return
            rate = site.obey(line)


if __name__ == "__main__":
    main(*map(int, sys.argv[1:4]))
