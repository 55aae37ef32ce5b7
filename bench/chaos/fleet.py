"""The containers of the chaos rounds: of nginx, or of the project's own origin. Removes what it made, and nothing else."""

from __future__ import annotations

import io
import socket
import tarfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import docker
import docker.errors
from docker.models.containers import Container

from bench.chaos.sealing import DOMAIN, Sealing
from bench.macro.process import Process

ORIGIN = (Path(__file__).with_name("origin.py")).read_text()
# The body names the container and the request. No access log: while the engine is down nobody reads it, and nginx would wait.
ANSWER = 'location / { default_type text/plain; return 200 "$hostname $http_x_request_id\\n"; }'
SITE = f"server {{ listen 80 default_server; access_log off; {ANSWER} }}"
NGINX = ["sh", "-c", f"echo '{SITE}' >/etc/nginx/conf.d/default.conf; exec nginx -g 'daemon off;'"]
LABELS = {"bench": "haystack", "haystack.port": "80"}
PYTHON = "python:3.11-slim"
LIMIT = 60.0


class Fleet:
    """So many containers of one service. kind: nginx (drops everything at SIGTERM) or python (finishes what it has).

    network: its name and addresses, which are given out in turn and stay the same over a restart; else the default one. sealing: its
    containers end TLS themselves, with this certificate (python alone).
    """

    def __init__(
        self,
        client: docker.DockerClient,
        kind: str,
        name: str,
        network: tuple[str, Sequence[str]] | None = None,
        sealing: Sealing | None = None,
        **options: Any,
    ) -> None:
        self.client = client
        self.kind = kind
        self.name = name
        self.network = network
        self.sealing = sealing
        self.options = options
        self.made: list[Container] = []
        self.members: list[Container] = []
        self._count = 0
        self._processed: list[str] = []

    @property
    def host(self) -> str:
        """The service's name, or the one by which its TLS is passed through."""
        if self.sealing:
            return f"{self.name}.{DOMAIN}"
        return f"{self.name}.{self.kind}.services.haystack"

    def grow(self, count: int) -> list[Container]:
        """So many more, each answering when this returns."""
        grown = [self._create() for _ in range(count)]
        for container in grown:
            container.start()
        for container in grown:
            self.serving(container)
        self.members += grown
        return grown

    def _create(self) -> Container:
        self._count += 1
        name = f"{self.name}-{self._count}"
        nginx = self.kind == "nginx"
        image, command = ("nginx", NGINX) if nginx else (PYTHON, ["python3", "-c", ORIGIN, "80"])
        options: dict[str, Any] = {"hostname": name, "labels": LABELS, "stop_signal": "SIGTERM"} | self.options
        if self.sealing:
            passed = {"haystack.port": "443", "haystack.https": "passthrough", "haystack.host": self.host}
            options |= {"labels": LABELS | passed, "environment": {"CERTIFICATE": self.sealing.text}}
        if self.network:
            network, addresses = self.network
            fixed = self.client.api.create_endpoint_config(ipv4_address=addresses[(self._count - 1) % len(addresses)])
            options |= {"network": network, "networking_config": {network: fixed}}
        container = self.client.containers.create(image, command, name=name, **options)
        self.made.append(container)
        return container

    def address(self, container: Container) -> str:
        """The container's address."""
        container.reload()
        networks = container.attrs["NetworkSettings"]["Networks"].values()
        return next((str(network["IPAddress"]) for network in networks if network["IPAddress"]), "")

    def serving(self, container: Container) -> None:
        """Return when its own port answers. Raises TimeoutError."""
        end = time.monotonic() + LIMIT
        while time.monotonic() < end:
            if (address := self.address(container)) and accepts(address):
                return
            time.sleep(0.01)
        raise TimeoutError(f"{container.name} does not listen")

    def heal(self) -> None:
        """Every member runs and behaves, whatever an earlier round left behind."""
        for container in self.members:
            container.reload()
            if container.status == "paused":
                container.unpause()
            elif container.status != "running":
                container.start()
            self.serving(container)
            if self.kind == "python":
                self.turn(container, "good")

    def turn(self, container: Container, manner: str) -> None:
        """Tell one of the project's own origins how to behave."""
        with socket.create_connection((self.address(container), 80), LIMIT) as asked:
            asked.sendall(f"PUT /manner/{manner} HTTP/1.1\r\nHost: {container.name}\r\n\r\n".encode())
            asked.recv(1000)

    def retire(self, container: Container) -> None:
        """Remove it for good, with its log read."""
        self._processed += self._log(container)
        self.members.remove(container)
        self.made.remove(container)
        container.remove(force=True, v=True)

    def processed(self) -> list[str]:
        """The id of every POST that any of them has read whole."""
        return self._processed + [number for container in self.members for number in self._log(container)]

    def _log(self, container: Container) -> list[str]:
        if self.kind == "nginx":
            return []
        with suppress(docker.errors.NotFound):
            pieces, _ = container.get_archive("/processed")
            with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as archive:
                found = archive.extractfile("processed")
                return found.read().decode().split() if found else []
        return []

    def remove(self) -> None:
        """Remove what was made."""
        while self.made:
            with suppress(docker.errors.NotFound):
                self.made.pop().remove(force=True, v=True)


def accepts(address: str) -> bool:
    """Whether port 80 there accepts connections."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex((address, 80)) == 0


def answering(proxy: Process, fleet: Fleet, connect: Callable[[], socket.socket] | None = None) -> None:
    """Return when every member of the fleet has answered through the proxy. connect: how it is reached. Raises TimeoutError."""
    missing = {container.name for container in fleet.members}
    end = time.monotonic() + LIMIT
    while missing and time.monotonic() < end:
        missing.discard(asked(connect or (lambda: socket.create_connection(("127.0.0.1", proxy.port), 2)), fleet.host))
        time.sleep(0.005)
    if missing:
        raise TimeoutError(f"{', '.join(sorted(missing))} never answered through {proxy.name}")


def asked(connect: Callable[[], socket.socket], host: str) -> str:
    """Who answers one GET there; nobody: an empty string."""
    try:
        with connect() as connection:
            connection.settimeout(2)
            connection.sendall(f"GET / HTTP/1.1\r\nHost: {host}\r\nX-Request-Id: x\r\nConnection: close\r\n\r\n".encode())
            with connection.makefile("rb") as answer:
                head, _, body = answer.read().partition(b"\r\n\r\n")
    except OSError:
        return ""
    return body.split(b" ")[0].decode() if b" 200 " in head[:15] else ""
