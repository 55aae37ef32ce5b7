"""Connections of `requests` within TLS, verified by certificate_rules.py. Imported where `requests` is there already."""

from __future__ import annotations

from typing import Any

from requests.adapters import HTTPAdapter
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool
from urllib3.poolmanager import PoolManager
from urllib3.util.ssl_ import create_urllib3_context, resolve_cert_reqs

from haystack.net.certificate_rules import usual


class HttpsConnection(HTTPSConnection):
    """With a context of its own, into which urllib3 loads the CA and the client's certificate.

    One for several would be changed by each new connection while others are being made from it, in other threads: OpenSSL copies a context
    without a lock, so that this ended the process.
    """

    def connect(self) -> None:
        """Make it."""
        self.ssl_context = usual(create_urllib3_context(cert_reqs=resolve_cert_reqs(self.cert_reqs)))
        super().connect()


class HttpsPool(HTTPSConnectionPool):
    """Of these."""

    ConnectionCls = HttpsConnection


class HttpsAdapter(HTTPAdapter):
    """For `mount`."""

    def init_poolmanager(self, *sizes: Any, **more: Any) -> None:
        """Of connections straight to the server."""
        super().init_poolmanager(*sizes, **more)
        _use_pool(self.poolmanager)

    def proxy_manager_for(self, *proxy: Any, **more: Any) -> Any:
        """Of those through a proxy."""
        manager = super().proxy_manager_for(*proxy, **more)
        _use_pool(manager)
        return manager


def _use_pool(manager: PoolManager) -> None:
    manager.pool_classes_by_scheme = {**manager.pool_classes_by_scheme, "https": HttpsPool}
