"""Requests to a certificate authority: its directory, nonces, signatures, and its refusals (RFC 8555, sections 6 and 7.1).

Knows nothing of orders or names. A nonce that is refused is no error: the request is signed anew with the next one.
"""

from __future__ import annotations

import email.utils
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from haystack.tls.acme import jose
from haystack.tls.acme.errors import PREFIX, RefusedError, UnreachableError
from haystack.tls.acme.http_client import Answer
from haystack.tls.acme.renewal import LONGEST

JOSE = "application/jose+json"
PROBLEM = "application/problem+json"
TRIES = 12  # with other nonces (section 6.5): authorities that are many machines refuse some
NONCES = 8  # that are kept
TOLD = 300  # characters of what it says
_ERROR = 400


class Http(Protocol):
    """An HttpClient."""

    async def request(self, method: str, url: str, body: bytes = b"", kind: str = "") -> Answer:
        """Ask, and have the answer."""


class Meta(msgspec.Struct, frozen=True, rename="camel"):
    """Section 7.1.1. profiles: name → what it is."""

    terms_of_service: str = ""
    external_account_required: bool = False
    profiles: dict[str, str] = {}


class Directory(msgspec.Struct, frozen=True, rename="camel"):
    """Where everything else is. renewal_info: RFC 9773; empty: it has none."""

    new_nonce: str
    new_account: str
    new_order: str
    renewal_info: str = ""
    meta: Meta = Meta()


class Signer(msgspec.Struct, frozen=True):
    """Who asks. url: of the account, empty before there is one."""

    key: ec.EllipticCurvePrivateKey
    url: str = ""

    def header(self) -> dict[str, Any]:
        """How the authority finds the key (section 6.2)."""
        return {"kid": self.url} if self.url else {"jwk": jose.jwk(self.key)}


class Client:
    """An authority at the URL of its directory. clock: Unix seconds."""

    def __init__(self, http: Http, url: str, clock: Callable[[], float] = time.time) -> None:
        self.url = url
        self._http = http
        self._clock = clock
        self._nonces: deque[str] = deque(maxlen=NONCES)
        self._directory: Directory | None = None

    async def directory(self) -> Directory:
        """Asked for once, until `forget`. Raises AcmeError."""
        if self._directory is None:
            self._directory = decoded((await self.get(self.url)).body, Directory)
        return self._directory

    def forget(self) -> None:
        """Something was not as expected: it may have another directory by now."""
        self._directory = None
        self._nonces.clear()

    async def get(self, url: str) -> Answer:
        """What anybody may ask for. Raises AcmeError."""
        return self._checked(await self._http.request("GET", url))

    async def post(self, url: str, signer: Signer, payload: Mapping[str, Any] | None = None) -> Answer:
        """A signed request; without a payload it is POST-as-GET (section 6.3). Raises AcmeError."""
        body = b"" if payload is None else msgspec.json.encode(payload)
        for last in (*(False,) * (TRIES - 1), True):
            header = {**signer.header(), "nonce": await self._nonce(), "url": url}
            answer = await self._http.request("POST", url, jose.signed(signer.key, header, body), JOSE)
            self._keep_nonce(answer)
            try:
                return self._checked(answer)
            except RefusedError as error:
                if error.kind != "badNonce" or last:
                    raise
        raise AssertionError  # the last try has ended it

    async def _nonce(self) -> str:
        if not self._nonces:
            answer = self._checked(await self._http.request("GET", (await self.directory()).new_nonce))
            self._keep_nonce(answer)
        if not self._nonces:
            raise UnreachableError("it gives no nonce")
        return self._nonces.popleft()

    def _keep_nonce(self, answer: Answer) -> None:
        if nonce := answer.headers.get("replay-nonce", ""):
            self._nonces.append(nonce)

    def _checked(self, answer: Answer) -> Answer:
        """The answer, where it is a good one. Raises AcmeError."""
        if answer.status < _ERROR:
            return answer
        wait = self.retry_after(answer)
        if answer.headers.get("content-type", "").startswith(PROBLEM):
            raise refused(decoded(answer.body, dict[str, Any]), answer.status, wait)
        raise UnreachableError(f"it answers with status {answer.status}", wait)

    def retry_after(self, answer: Answer) -> float:
        """Seconds that it asks us to wait (RFC 9110, section 10.2.3), bounded; 0.0: it has said nothing."""
        said = answer.headers.get("retry-after", "").strip()
        if said.isascii() and said.isdigit():
            return min(LONGEST, float(said[:9]))
        try:
            until = email.utils.parsedate_to_datetime(said).timestamp() if said else 0.0
        except (ValueError, OverflowError):
            return 0.0
        return min(LONGEST, max(0.0, until - self._clock()))


def refused(problem: Mapping[str, Any], status: int = 0, retry_after: float = 0.0) -> RefusedError:
    """A problem document as an exception."""
    names = {}
    parts = problem.get("subproblems")
    for each in parts if isinstance(parts, list) else ():
        if isinstance(each, dict) and isinstance(about := each.get("identifier"), dict):
            names[str(about.get("value"))] = str(each.get("detail", ""))[:TOLD]
    kind = str(problem.get("type", "")).removeprefix(PREFIX)[:TOLD]
    return RefusedError(kind or "an error of no type", str(problem.get("detail", ""))[:TOLD], status, retry_after, names)


T = Any


def decoded(body: bytes, kind: type[T]) -> T:
    """JSON as a record. Raises UnreachableError where it is not that."""
    try:
        return msgspec.json.decode(body, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise UnreachableError(f"its answer can't be read: {error}") from None
