"""The first message to a worker: what it is to be, by the settings and OpenTelemetry's variables. Never sends it."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Protocol

from haystack.dns.messages import DnsSetup
from haystack.proxy import ipc, limits
from haystack.proxy.ipc import Setup
from haystack.routing.rows import EVERY
from haystack.settings import otel
from haystack.settings.settings import Settings


class Dns(Protocol):
    """What workers are to know of DNS."""

    @property
    def setup(self) -> DnsSetup:
        """What a worker answers as."""

    def welcome(self) -> Iterable[ipc.Any]:
        """What it is told when it begins, beside its routes."""


class Welcomes(Protocol):
    """What tells a worker something before anybody is accepted."""

    def welcome(self) -> Iterable[ipc.Any]:
        """Messages, in their order."""


def health_of(admin_socket: str) -> str:
    """The socket beside that of the web side, where nothing but its health is told."""
    return f"{admin_socket}.health"


def proof_of(admin_socket: str) -> str:
    """The socket beside that of the web side, where an authority finds what it looks for."""
    return f"{admin_socket}.proof"


def setup(settings: Settings, slot: int, ports: dict[str, int], admin_socket: str, instance: str) -> Setup:
    """Of the worker in this slot. ports: of the listeners by name.

    admin_socket: where requests to Haystack itself go; instance: what tells this one from others.
    """
    origin = settings.origin
    listeners = tuple(name for name in EVERY if name in ports)
    return Setup(
        slot=slot,
        ports=tuple(ports[name] for name in listeners),
        listeners=listeners,
        tls_min=settings.tls_min,
        tls_clients=settings.tls_client_ca is not None,
        admin_socket=admin_socket if settings.admin else "",
        admin_hosts=("", "localhost", origin, f"ns.{origin}", *settings.admin_hosts) if settings.admin else (),
        admin_apart=isinstance(settings.admin, str),
        health_socket=health_of(admin_socket) if settings.admin and admin_socket else "",
        proof_socket=proof_of(admin_socket) if settings.acme != "off" and admin_socket else "",
        limits=limits.of(settings),
        access_log=settings.access_log,
        access_log_fields=settings.access_log_fields,
        instance=instance,
        sampling=otel.sampling(os.environ),
    )
