"""A server of gRPC's health service, grpcio's own, in this process; and servers that are none."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

Status = health_pb2.HealthCheckResponse.ServingStatus


class HealthServer:
    """port: where it listens. Services have no status until one is set; the server as a whole is SERVING."""

    def __init__(self, server: grpc.Server, servicer: health.HealthServicer | None, port: int) -> None:
        self.server, self.port = server, port
        self._servicer = servicer

    def set(self, service: str, status: str) -> None:
        """Of a service, empty: of the server as a whole. status: its name, such as NOT_SERVING."""
        assert self._servicer
        self._servicer.set(service, Status.Value(status))


@contextmanager
def serving(
    *,
    health_service: bool = True,
    port: int = 0,
    credentials: grpc.ServerCredentials | None = None,
    interceptors: Sequence[grpc.ServerInterceptor] = (),
) -> Iterator[HealthServer]:
    """A server that runs meanwhile. health_service: whether it has the health service at all."""
    with ThreadPoolExecutor(2) as pool:
        server = grpc.server(pool, interceptors=interceptors, options=[("grpc.so_reuseport", 0)])
        servicer = health.HealthServicer() if health_service else None
        if servicer:
            health_pb2_grpc.add_HealthServicer_to_server(servicer, server)
        at = f"127.0.0.1:{port}"
        bound = server.add_secure_port(at, credentials) if credentials else server.add_insecure_port(at)
        server.start()
        try:
            yield HealthServer(server, servicer, bound)
        finally:
            server.stop(0).wait(10)
