"""One certificate from one authority, from the account to what stands in the state folder: what is half done is gone on with.

Before the authority is asked for anything, the key for it is in the folder: what can't be kept is not ordered. Decides nothing about when.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from haystack.tls import certificates
from haystack.tls.acme import account
from haystack.tls.acme.account import Kept, Wishes
from haystack.tls.acme.client import Client, Signer
from haystack.tls.acme.errors import AcmeError, ChallengeError, RefusedError, TooLateError, UnreachableError
from haystack.tls.acme.folder import DamagedError, Folder, Pending
from haystack.tls.acme.orders import Ordering, Solver
from haystack.tls.acme.plan import Task
from haystack.tls.certificate import Certificate
from haystack.tls.certificates import CertificateError

ORDER = 600.0  # seconds for all of an order
OLD = 5 * 86400.0  # seconds after which an order is not gone on with: authorities keep them for a week


@dataclass(frozen=True, slots=True)
class Taste:
    """profile: of the authority's, empty: its usual one; issuer: who is to have signed in the chain, empty: whoever does."""

    profile: str = ""
    issuer: str = ""


class Authority:
    """registered: called with the account's URL once there is a new one; clock: Unix seconds."""

    def __init__(
        self,
        client: Client,
        folder: Folder,
        wishes: Wishes,
        solvers: dict[str, Solver],
        taste: Taste,
        registered: Callable[[str], None],
        clock: Callable[[], float],
    ) -> None:
        self.client = client
        self._folder = folder
        self._wishes = wishes
        self._solvers = solvers
        self._taste = taste
        self._registered = registered
        self._clock = clock
        self._kept: Kept | None = None
        self._door = asyncio.Lock()

    async def obtain(self, task: Task) -> Certificate:
        """The certificate. Raises AcmeError and FolderError."""
        try:
            async with asyncio.timeout(ORDER):
                return await self._obtain(task)
        except TimeoutError:
            raise TooLateError(f"the order was not done within {ORDER:g} s") from None
        except RefusedError as error:
            if error.kind == "accountDoesNotExist":
                await self._forget()
            raise

    async def _obtain(self, task: Task) -> Certificate:
        kept = await self._account()
        ordering = Ordering(self.client, Signer(account.read_key(kept.key), kept.url), self._solvers)
        pending = await self._pending(task, kept.url)
        if pending.url:
            try:
                return await self._fulfilled(ordering, task, pending)
            except (RefusedError, ChallengeError) as error:
                if error.shared:
                    raise
            pending = await self._pending(task, kept.url)  # it may have ended while nobody answered here: that is not the names' fault
        url = await ordering.place(task.names, profile=self._taste.profile, replaces=task.replaces)
        pending = Pending(pending.names, pending.key, url, self._clock(), kept.url)
        await asyncio.to_thread(self._folder.keep_pending, task.key, pending)
        return await self._fulfilled(ordering, task, pending)

    async def _fulfilled(self, ordering: Ordering, task: Task, pending: Pending) -> Certificate:
        try:
            chain = await ordering.fulfil(pending.url, task.names, account.read_key(pending.key), self._taste.issuer)
        except (RefusedError, ChallengeError) as error:
            if not error.shared:  # of this order nothing will come any more
                await asyncio.to_thread(self._folder.drop_pending, task.key)
            raise
        return await self._finished(task, chain, pending.key.encode())

    async def _finished(self, task: Task, chain: bytes, key: bytes) -> Certificate:
        try:
            made = certificates.read(chain, key)
        except CertificateError as error:
            await asyncio.to_thread(self._folder.drop_pending, task.key)
            raise UnreachableError(f"its certificate can't be used: {error}") from None
        if lacking := [name for name in task.names if name not in made.names]:
            await asyncio.to_thread(self._folder.drop_pending, task.key)
            raise UnreachableError(f"its certificate lacks {', '.join(lacking)}")
        await asyncio.to_thread(self._folder.keep_certificate, task.key, made.chain + made.key)
        await asyncio.to_thread(self._folder.drop_pending, task.key)
        return made

    async def _pending(self, task: Task, ours: str) -> Pending:
        """The order that is under way for this, or a new key, kept. ours: the account; it sees no orders of others. Raises FolderError."""
        try:
            found = await asyncio.to_thread(self._folder.pending, task.key)
        except DamagedError:
            found = None
        mine = found is not None and (found.account == ours or not found.url)
        if found is not None and mine and found.names == task.names and self._clock() - found.placed < OLD:
            return found
        made = Pending(task.names, account.pem(account.new_key()))
        await asyncio.to_thread(self._folder.keep_pending, task.key, made)
        return made

    async def _account(self) -> Kept:
        """Ours, registered; once, whoever needs it first. Raises AcmeError and FolderError."""
        async with self._door:
            if self._kept is None:
                found = await asyncio.to_thread(self._folder.account)
                if found is None:
                    found = account.new()
                    await asyncio.to_thread(self._folder.keep_account, found)
                try:
                    self._kept = await self._registered_as(found)
                except RefusedError as error:
                    if error.kind != "accountDoesNotExist":
                        raise
                    self._kept = await self._registered_as(Kept(found.key))
            return self._kept

    async def _registered_as(self, found: Kept) -> Kept:
        try:
            made = await account.registered(self.client, found, self._wishes)
        except ValueError as error:  # what cryptography says of a key that is none
            raise AcmeError(f"the account's key can't be used: {error}") from None
        if made != found:
            await asyncio.to_thread(self._folder.keep_account, made)
        if made.url != found.url:
            self._registered(made.url)
        return made

    async def _forget(self) -> None:
        """The authority does not know us any more: we register again, with the same key."""
        async with self._door:
            if self._kept is not None:
                await asyncio.to_thread(self._folder.keep_account, Kept(self._kept.key))
            self._kept = None
