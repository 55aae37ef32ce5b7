"""Debian's pebble as a certificate authority on free ports, its DNS and its way to names given. It forgets everything when it ends."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import threading
import urllib.request
from pathlib import Path
from typing import Any, Self

from tests.fakes.pki import Authority
from tests.fakes.ports import free_port

BINDING = "kid-1:zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W"
START = 30.0


class Pebble:
    """folder: for its certificate; dns: the port of the resolver it asks; http, tls: where it looks for challenges.

    address: of it and of that resolver, for who is on another host.
    url: of its directory; ca: what its own certificate is verified by; lines: what it has said. A further start is another authority
    at the same place, which knows nobody.
    """

    def __init__(
        self,
        folder: Path,
        dns: int,
        http: int,
        tls: int = 0,
        *,
        port: int = 0,
        bound: bool = False,
        address: str = "127.0.0.1",
        **environment: str,
    ) -> None:
        self._folder = folder
        self._authority = Authority(folder)
        self.ca = self._authority.path
        self.port, self._management = free_port(), free_port()
        self.port = port or self.port
        self._address = address
        self.url = f"https://{address}:{self.port}/dir"
        self._dns, self._http, self._tls, self._bound = dns, http, tls or http, bound
        self._environment = {"PEBBLE_VA_NOSLEEP": "1", "PEBBLE_WFE_NONCEREJECT": "0", "PEBBLE_AUTHZREUSE": "0", **environment}
        self.lines: list[str] = []
        self._news = threading.Condition()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def start(self) -> None:
        """Answer from the return on."""
        chain, key = self._authority.issue("127.0.0.1", "localhost", self._address)
        (self._folder / "pebble.crt").write_bytes(chain)
        (self._folder / "pebble.key").write_bytes(key)
        (self._folder / "pebble.json").write_text(json.dumps({"pebble": self._settings()}))
        self.lines.clear()
        self._process = subprocess.Popen(
            ["pebble", "-strict", "-config", str(self._folder / "pebble.json"), "-dnsserver", f"{self._address}:{self._dns}"],
            env={**os.environ, **self._environment},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.wait("ACME directory available")

    def stop(self) -> None:
        """Nobody answers any more."""
        self._process.terminate()
        self._process.wait()
        self._reader.join()
        assert self._process.stdout
        self._process.stdout.close()

    def _settings(self) -> dict[str, Any]:
        kid, _, secret = BINDING.partition(":")
        return {
            "listenAddress": f"{self._address}:{self.port}",
            "managementListenAddress": f"127.0.0.1:{self._management}",
            "certificate": str(self._folder / "pebble.crt"),
            "privateKey": str(self._folder / "pebble.key"),
            "httpPort": self._http,
            "tlsPort": self._tls,
            "ocspResponderURL": "",
            "externalAccountBindingRequired": self._bound,
            **({"externalAccountMACKeys": {kid: secret}} if self._bound else {}),
        }

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            with self._news:
                self.lines.append(line.rstrip())
                self._news.notify_all()

    def wait(self, text: str, seconds: float = START) -> None:
        """Until it has said this."""
        with self._news:
            found = self._news.wait_for(lambda: any(text in line for line in self.lines), seconds)
        assert found, f"pebble has not said {text!r}: {self.lines[-10:]}"

    def count(self, text: str) -> int:
        """How many of its lines hold this."""
        with self._news:
            return sum(text in line for line in self.lines)

    def root(self, number: int = 0) -> bytes:
        """The root of its chain of this number, PEM."""
        context = ssl.create_default_context(cafile=str(self.ca))
        with urllib.request.urlopen(f"https://127.0.0.1:{self._management}/roots/{number}", context=context) as answer:
            found: bytes = answer.read()
        return found
