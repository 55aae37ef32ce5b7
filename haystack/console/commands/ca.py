"""`ca`: the certificate of Haystack's own authority, for those who are to trust it."""

from __future__ import annotations

from haystack.console.command import NOT_FOUND, Asked, Command, Context, Result
from haystack.views.state import State


def ca(state: State, _asked: Asked, _context: Context) -> Result:
    """PEM, which others may have: it holds no key."""
    if not state.ca:
        return Result("Haystack has no authority of its own: set HAYSTACK_TLS_LOCAL=on", NOT_FOUND)
    return Result(state.ca.decode().rstrip("\n"))


COMMAND = Command(
    "ca",
    "print the certificate of Haystack's own authority (HAYSTACK_TLS_LOCAL)",
    action=ca,
    example="ca",
    more="ssh -p 22022 HOST ca >haystack-ca.pem, then curl --cacert haystack-ca.pem https://…",
)
