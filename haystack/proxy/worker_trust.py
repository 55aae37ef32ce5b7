"""Who may have signed the certificates of endpoints, in a worker: takes in what the control process tells of it.

A change ends no connection: it counts from the next handshake on.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from weakref import WeakValueDictionary

from haystack._fast.net.tls_client import TlsClient, TrustStore
from haystack.model.records import ConnectionOptions
from haystack.tls.messages import Authorities

OFFERED = {"https": b"http/1.1", "h2": b"h2"}  # by ALPN
Key = tuple[str, bool, str]  # as in ConnectionOptions: tls_ca, tls_verify and protocol


class WorkerTrust:
    """on_error: told of certificates that OpenSSL does not take."""

    def __init__(self, on_error: Callable[[Exception], None]) -> None:
        self._on_error = on_error
        self._told: dict[str, tuple[bytes, ...]] = {}
        self._stores: dict[str, TrustStore] = {}
        self._clients: WeakValueDictionary[Key, TlsClient] = WeakValueDictionary()

    async def take(self, message: Authorities) -> None:
        """Take in whom to trust. Each of some hundred certificates takes a millisecond: exchanges have their turn between them."""
        told = dict(message.authorities)
        other = {ca for ca in {*told, *self._told} if told.get(ca) != self._told.get(ca)}
        for ca in other:
            self._stores.pop(ca, None)
            if ca in told:
                self._stores[ca] = await self._store(told[ca])
        self._told = told
        for (ca, _, _), client in list(self._clients.items()):
            if ca in other:
                client.trust(self._stores.get(ca))

    def client(self, wanted: ConnectionOptions) -> TlsClient | None:
        """How an endpoint is spoken to within TLS; None: without."""
        offered = OFFERED.get(wanted.protocol)
        if offered is None:
            return None
        key = wanted.tls_ca, wanted.tls_verify, wanted.protocol
        found = self._clients.get(key)
        if found is None:
            found = self._clients[key] = TlsClient(offered, wanted.tls_verify)
            found.trust(self._stores.get(wanted.tls_ca))
        return found

    async def _store(self, certificates: tuple[bytes, ...]) -> TrustStore:
        made = TrustStore()
        for each in certificates:
            try:
                made.add(each)
            except ValueError as error:
                self._on_error(error)
            await asyncio.sleep(0)
        return made
