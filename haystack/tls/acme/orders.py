"""One order from its names to a chain of certificates (RFC 8555, sections 7.4 and 7.5): authorizations, challenges, finalization.

Every wait is bounded: by what the authority says and by a limit of our own. Decides nothing about when to order, and keeps nothing.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec

from haystack.tls.acme import csr, jose
from haystack.tls.acme.client import Client, Signer, decoded, refused
from haystack.tls.acme.errors import AcmeError, ChallengeError, RefusedError, TooLateError, UnreachableError
from haystack.tls.acme.http_client import Answer

VALIDATION = 90.0  # seconds in which an authority is to have looked at a name; it may try several times
FINALIZATION = 180.0  # seconds in which it is to have made the certificate
LEAST_PAUSE, MOST_PAUSE = 0.5, 15.0  # seconds between two looks
SHORT = 3  # of these looks one follows soon after the other
PAUSE = 3.0
MOST_ALTERNATES = 8


class Proof(msgspec.Struct, frozen=True):
    """What is to be shown of a name: token and key authorization (RFC 8555, section 8.1). name: without `*.`."""

    name: str
    token: str
    authorization: str


class Solver(Protocol):
    """Shows one kind of challenge to whoever looks."""

    def can(self, name: str, *, wildcard: bool) -> bool:
        """Whether a name can be shown to be ours like this."""

    async def show(self, proof: Proof) -> None:
        """Show it: from the return on who looks sees it. Raises ChallengeError."""

    async def hide(self, proof: Proof) -> None:
        """No more of that."""


class Challenge(msgspec.Struct, frozen=True):
    """Section 7.1.5."""

    type: str
    url: str
    status: str = "pending"
    token: str = ""
    error: dict[str, Any] | None = None


class Identifier(msgspec.Struct, frozen=True):
    """A name, `*.` in front of it in orders alone."""

    value: str
    type: str = "dns"


class Authorization(msgspec.Struct, frozen=True):
    """Section 7.1.4."""

    identifier: Identifier
    status: str
    challenges: list[Challenge]
    wildcard: bool = False


class Order(msgspec.Struct, frozen=True):
    """Section 7.1.3."""

    status: str
    authorizations: list[str]
    finalize: str
    certificate: str = ""
    error: dict[str, Any] | None = None


class Ordering:
    """Orders of one account. solvers: by the type of challenge, in the order of preference; sleep: of the loop, or of a test."""

    def __init__(
        self, client: Client, signer: Signer, solvers: dict[str, Solver], sleep: Callable[[float], Awaitable[object]] = asyncio.sleep
    ) -> None:
        self._client = client
        self._signer = signer
        self._solvers = solvers
        self._sleep = sleep

    async def place(self, names: Sequence[str], *, profile: str = "", replaces: str = "") -> str:
        """Order a certificate for these names: the order's URL. replaces: the renewal id of the one it renews. Raises AcmeError."""
        asked: dict[str, Any] = {"identifiers": [{"type": "dns", "value": name} for name in names]}
        asked |= {"profile": profile} if profile else {}
        directory = await self._client.directory()
        if replaces and directory.renewal_info:
            try:
                return _location(await self._client.post(directory.new_order, self._signer, {**asked, "replaces": replaces}))
            except RefusedError as error:
                if error.kind not in ("alreadyReplaced", "malformed", "conflict", "serverInternal"):
                    raise  # else as RFC 9773, section 5, has it: once more without
        return _location(await self._client.post(directory.new_order, self._signer, asked))

    async def fulfil(self, url: str, names: Sequence[str], key: ec.EllipticCurvePrivateKey, issuer: str = "") -> bytes:
        """Bring an order to its end: the chain, PEM. issuer: of the alternate chain that is preferred. Raises AcmeError."""
        order = await self._order(url)
        if order.status == "pending":
            await self._authorize(order)
            order = await self._settled(url, ("pending",), VALIDATION)
        if order.status == "ready":
            await self._client.post(order.finalize, self._signer, {"csr": jose.b64u(csr.request(key, names))})
            order = await self._settled(url, ("ready", "processing"), FINALIZATION)
        elif order.status == "processing":
            order = await self._settled(url, ("processing",), FINALIZATION)
        if order.status != "valid" or not order.certificate:
            raise refused(order.error or {"detail": f"its order is {order.status}"})
        return await self._chain(order.certificate, issuer)

    async def _order(self, url: str) -> Order:
        found: Order = decoded((await self._client.post(url, self._signer)).body, Order)
        if found.status == "invalid":
            raise refused(found.error or {"detail": "the order is invalid"})
        return found

    async def _settled(self, url: str, waiting: tuple[str, ...], seconds: float) -> Order:
        """The order, once it is in another state than these."""

        async def look() -> tuple[Order | None, Answer]:
            answer = await self._client.post(url, self._signer)
            found = decoded(answer.body, Order)
            return (None if found.status in waiting else found), answer

        order: Order = await self._until(look, seconds, "the order is not done")
        if order.status == "invalid":
            raise refused(order.error or {"detail": "the order is invalid"})
        return order

    async def _authorize(self, order: Order) -> None:
        """Show all names that it is still to be shown; one that fails ends the order, and what is shown of others."""
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._show(url)) for url in order.authorizations]
        if failed := [error for task in tasks if (error := task.result()) is not None]:
            raise _together(failed)

    async def _show(self, url: str) -> AcmeError | None:
        """What has become of one authorization."""
        try:
            found: Authorization = decoded((await self._client.post(url, self._signer)).body, Authorization)
            if found.status != "valid":
                await self._prove(url, found)
        except AcmeError as error:
            return error
        return None

    async def _prove(self, url: str, found: Authorization) -> None:
        name = _identifier(found)
        challenge, solver = self._chosen(found)
        proof = Proof(found.identifier.value, challenge.token, f"{challenge.token}.{jose.thumbprint(self._signer.key)}")
        await solver.show(proof)
        try:
            if challenge.status == "pending":
                await self._client.post(challenge.url, self._signer, {})
            await self._until(lambda: self._look(url), VALIDATION, f"it has not looked at the challenge of {name}")
        finally:
            await solver.hide(proof)

    def _chosen(self, found: Authorization) -> tuple[Challenge, Solver]:
        if found.status not in ("pending", "valid"):
            raise ChallengeError({_identifier(found): _why(found) or f"its authorization is {found.status}"})
        offered = {each.type: each for each in found.challenges}
        for kind, solver in self._solvers.items():
            if kind in offered and offered[kind].token and solver.can(found.identifier.value, wildcard=found.wildcard):
                return offered[kind], solver
        raise ChallengeError({_identifier(found): f"none of what the authority offers can be done here ({', '.join(offered)})"})

    async def _look(self, url: str) -> tuple[Authorization | None, Answer]:
        answer = await self._client.post(url, self._signer)
        found: Authorization = decoded(answer.body, Authorization)
        if found.status == "pending":
            return None, answer
        if found.status != "valid":
            raise ChallengeError({_identifier(found): _why(found) or f"its authorization is {found.status}"})
        return found, answer

    async def _until(self, look: Callable[[], Awaitable[tuple[Any, Answer]]], seconds: float, late: str) -> Any:
        """What `look` finds, asked for again and again (section 7.5.1)."""
        waited, looks = 0.0, 0
        began = time.monotonic()
        while True:
            found, answer = await look()
            if found is not None:
                return found
            looks += 1
            said = self._client.retry_after(answer)
            pause = min(MOST_PAUSE, max(LEAST_PAUSE, said)) if said else (LEAST_PAUSE if looks <= SHORT else PAUSE)
            waited += pause
            if max(waited, time.monotonic() - began) > seconds:
                raise TooLateError(f"{late} within {seconds:g} s")
            await self._sleep(pause)

    async def _chain(self, url: str, issuer: str) -> bytes:
        """The chain, or the first alternate one (section 7.4.2) that an issuer of this name has signed, where one is preferred."""
        answer = await self._client.post(url, self._signer)
        if not issuer or issuer in _issuers(answer.body):
            return answer.body
        for alternate in links(answer.headers.get("link", ""), "alternate")[:MOST_ALTERNATES]:
            other = await self._client.post(alternate, self._signer)
            if issuer in _issuers(other.body):
                return other.body
        return answer.body


def _issuers(chain: bytes) -> tuple[str, ...]:
    try:
        return csr.issuers(chain)
    except ValueError:
        raise UnreachableError("its certificates can't be read") from None


def _location(answer: Answer) -> str:
    if not (url := answer.headers.get("location", "")):
        raise UnreachableError("it has not said where the order is")
    return url


def _why(found: Authorization) -> str:
    """What it says of the challenge that has failed."""
    errors = [refused(each.error) for each in found.challenges if each.error]
    return str(errors[0]) if errors else ""


def _identifier(found: Authorization) -> str:
    """The name as it was ordered."""
    return f"*.{found.identifier.value}" if found.wildcard else found.identifier.value


def _together(failed: Sequence[AcmeError]) -> AcmeError:
    """Several as one: those that are about single names, where all are."""
    others = [each for each in failed if not isinstance(each, ChallengeError)]
    if others:
        return max(others, key=lambda each: (each.shared, each.retry_after))
    return ChallengeError({name: why for each in failed if isinstance(each, ChallengeError) for name, why in each.names.items()})


def links(header: str, relation: str) -> list[str]:
    """The targets of a Link field that have this relation (RFC 8288, section 3)."""
    found = []
    for part in header.split("<")[1:]:
        url, _, parameters = part.partition(">")
        if relation in parameters.replace('"', "").lower().replace("rel=", " ").replace(";", " ").replace(",", " ").split():
            found.append(url)
    return found
