"""A worker's certificates: takes in what the control process tells of them, and keeps what its TLS shows in step.

Connections keep what they were shown: a change of it ends none.
"""

from __future__ import annotations

from collections.abc import Callable

from haystack._fast.net.client_certificates import ClientAuthorities
from haystack._fast.net.tls_server import Credential, TlsServer
from haystack.tls.messages import ClientCas, TicketKeys, TlsPart


class WorkerTls:
    """least: the oldest version of TLS; on_error: told of certificates that OpenSSL does not take.

    serves: there is a listener for HTTPS; else OpenSSL stays as it is, for setting it up takes a MiB or two. asks: clients are asked for
    certificates; until it is known of whom, all are refused.
    """

    def __init__(self, least: str, on_error: Callable[[Exception], None], *, serves: bool, asks: bool = False) -> None:
        self.server = TlsServer(least, on_error) if serves else None
        self._on_error = on_error
        if self.server is not None and asks:
            self.server.require(None)
        self._held: dict[str, Credential] = {}

    def take(self, message: TlsPart | TicketKeys | ClientCas) -> None:
        """Take in one message."""
        if self.server is None:
            return
        if isinstance(message, TicketKeys):
            self.server.set_keys(message.keys)
            return
        if isinstance(message, ClientCas):
            self._require(self.server, message)
            return
        self._held |= {pair.id: Credential(pair.chain, pair.key, pair.names, pair.proof) for pair in message.pairs}
        self.server.show({name: self._held[key] for name, key in message.names}, message.gone, self._held.get(message.default))
        self.server.prove({name: self._held[key] for name, key in message.challenges})
        for key in message.dropped:
            self._held.pop(key, None)

    def _require(self, server: TlsServer, message: ClientCas) -> None:
        try:
            server.require(ClientAuthorities(message.pem, message.mark))
        except ValueError as error:  # those of before stay, or none
            self._on_error(error)
