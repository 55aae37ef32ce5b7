"""What this Haystack calls itself in Via (RFC 9110, section 7.6.3). Pure.

One name a service, or part of one that a haystack.host leads to: a request that has passed on its way to it already comes round, and one
that was on its way to another does not, for a gateway in a container may well ask for further services (docs/decisions/0007).
"""

from __future__ import annotations

import os

from haystack.model.hashes import blake2b

SIZE = 8  # bytes of a pseudonym


def new_instance() -> str:
    """What tells this Haystack from others; its workers share it, and so does one that replaces it."""
    return os.urandom(SIZE).hex()


def pseudonym(instance: str, service: str) -> str:
    """Of this instance on the way to this service. Tells nobody either of the two."""
    return "haystack-" + blake2b(service.encode(), key=instance.encode(), digest_size=SIZE).hexdigest()
