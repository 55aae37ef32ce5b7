"""A worker's certificates: takes in what the control process tells of them, and keeps what its TLS shows in step.

Connections keep what they were shown: a change of it ends none.
"""

from __future__ import annotations

from collections.abc import Callable

from haystack._fast.net.tls_server import Credential, TlsServer
from haystack.tls.messages import TicketKeys, TlsPart

OF_TLS = (TlsPart, TicketKeys)


class WorkerTls:
    """least: the oldest version of TLS; on_error: told of certificates that OpenSSL does not take."""

    def __init__(self, least: str, on_error: Callable[[Exception], None]) -> None:
        self.server = TlsServer(least, on_error)
        self._held: dict[str, Credential] = {}

    def take(self, message: TlsPart | TicketKeys) -> None:
        """Take in a message of OF_TLS."""
        if isinstance(message, TicketKeys):
            self.server.set_keys(message.keys)
            return
        self._held |= {pair.id: Credential(pair.chain, pair.key, pair.names, pair.proof) for pair in message.pairs}
        self.server.show({name: self._held[key] for name, key in message.names}, message.gone, self._held.get(message.default))
        self.server.prove({name: self._held[key] for name, key in message.challenges})
        for key in message.dropped:
            self._held.pop(key, None)
