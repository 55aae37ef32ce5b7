"""Two hashes of Python's own. hashlib has the same, and sets OpenSSL up besides: 3 MiB in a worker without TLS, 0.5 of them its own."""

from __future__ import annotations

try:
    from _blake2 import blake2b
    from _sha1 import sha1  # type: ignore[import-not-found] # typeshed has it not
except ImportError:  # a Python that leaves them to OpenSSL
    from hashlib import blake2b, sha1

__all__ = ["blake2b", "sha1"]
