"""The one certificate that every proxy shows: ECDSA P-256, of a CA of the benchmark's own."""

from __future__ import annotations

from pathlib import Path

import trustme

HOST = "bench.services.haystack"
# What Haystack takes, in the order in which it takes it; the others are set to the same.
CIPHERS = "ECDHE+AESGCM:ECDHE+CHACHA20:!aNULL"
SUITES = "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"
GROUPS = "X25519:P-256:P-384"
TICKET_HOURS = 12


class Certificate:
    """Files in that folder. ca: of the authority; folder: for Haystack; chain, key: for nginx; both: for HAProxy."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA(key_type=trustme.KeyType.ECDSA)
        leaf = authority.issue_cert(HOST, key_type=trustme.KeyType.ECDSA)
        chain = b"".join(blob.bytes() for blob in leaf.cert_chain_pems)
        self.ca, self.chain, self.key = folder / "ca.pem", folder / "chain.pem", folder / "key.pem"
        self.folder = folder / "certs"
        self.both = self.folder / "default.pem"  # wrk asks for no name
        self.folder.mkdir()
        self.ca.write_bytes(authority.cert_pem.bytes())
        self.chain.write_bytes(chain)
        self.key.write_bytes(leaf.private_key_pem.bytes())
        self.both.write_bytes(chain + leaf.private_key_pem.bytes())
