"""What can go wrong between us and a certificate authority."""

from __future__ import annotations

from collections.abc import Mapping

PREFIX = "urn:ietf:params:acme:error:"
RATE_LIMITED = "rateLimited"
# RFC 8555, section 6.7: the authority could not do it now, or we did not get through; the names that were asked for are not to blame.
PASSING = frozenset({"badNonce", RATE_LIMITED, "serverInternal", "orderNotReady"})
# The same section: nothing that is asked for changes anything, until a person does something.
OF_ACCOUNT = frozenset(
    {"accountDoesNotExist", "badPublicKey", "badSignatureAlgorithm", "externalAccountRequired", "invalidContact",
     "unauthorized", "unsupportedContact", "userActionRequired"}
)  # fmt: skip


class AcmeError(Exception):
    """A certificate can't be had now. str() is one line; texts of the authority are in it as they came.

    retry_after: seconds before which it is of no use to ask again, as the authority has said; 0.0: it has not. shared: it is so for
    whatever is asked, and not for these names alone. limited: there were too many of these names, or of us.
    """

    retry_after = 0.0
    shared = False
    limited = False


class UnreachableError(AcmeError):
    """The authority does not answer, or not as RFC 8555 has it."""

    shared = True

    def __init__(self, message: str, retry_after: float = 0.0) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class RefusedError(AcmeError):
    """The authority has answered with a problem document (RFC 8555, section 6.7).

    kind: its type without the prefix, such as `rateLimited`; status: of HTTP, 0 where it stood in an order or an authorization; names: the
    identifiers that its subproblems are about, with what is said of each.
    """

    def __init__(self, kind: str, detail: str, status: int = 0, retry_after: float = 0.0, names: Mapping[str, str] | None = None) -> None:
        self.kind, self.detail, self.status = kind, detail, status
        self.retry_after, self.names = retry_after, names or {}
        self.limited = kind == RATE_LIMITED
        super().__init__(f"{kind}: {detail}" if detail else kind)

    @property
    def shared(self) -> bool:  # type: ignore[override]
        """A limit, or the account: other names would fare no better."""
        return bool(self.status) and (self.kind in PASSING or self.kind in OF_ACCOUNT)


class ChallengeError(AcmeError):
    """Names were not shown to be ours: they can't be, or the authority did not find what it was told to look for. names: with why."""

    def __init__(self, names: Mapping[str, str]) -> None:
        self.names = dict(names)
        super().__init__("; ".join(f"{name}: {why}" for name, why in names.items()))


class TooLateError(AcmeError):
    """An order took longer than it may."""
