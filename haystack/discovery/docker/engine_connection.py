"""The way to an engine, opened: certificates for TLS, or a tunnel over SSH, for as long as it is needed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from haystack.discovery.docker import client
from haystack.discovery.docker.tls import Certificates, TlsOptions
from haystack.model.records import Record
from haystack.settings import engine_url


class EngineConnection(Record, frozen=True, kw_only=True):
    """host: for Docker's client, as in DOCKER_HOST; address: of the engine, where the way itself has shown it; else empty."""

    host: str
    certificates: Certificates | None = None
    address: str = ""

    def connect(self, timeout: float = client.TIMEOUT) -> client.Client:
        """A client of it. Raises anything."""
        return client.connect(self.host, self.certificates, timeout)


@contextmanager
def opened(host: str, tls: TlsOptions) -> Iterator[EngineConnection]:
    """The way to the engine at `host`, as in DOCKER_HOST. Raises TlsError, TunnelError."""
    if engine_url.is_ssh(host):
        from haystack.discovery.docker.ssh_tunnel import Tunnel  # noqa: PLC0415 - what this start does not use is not loaded

        with Tunnel(host) as tunnel:
            yield EngineConnection(host=f"unix://{tunnel.path}", address=tunnel.peer)
    elif tls.wanted(host):
        with Certificates(tls) as certificates:
            yield EngineConnection(host=host, certificates=certificates)
    else:
        yield EngineConnection(host=host)
