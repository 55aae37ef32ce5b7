"""Who gets certificates and keeps them new: looks at what is wanted, what is there and what has failed, and orders what plan.py says.

One task of the control loop, which waits nearly always. Of several Haystacks with one state folder, the one with the lease orders; the
others serve what it puts there. Whatever fails is told, and tried again later and later.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Mapping

import msgspec

from haystack.loop.turns import Turns, in_turns
from haystack.tls.acme import ari, plan
from haystack.tls.acme.authority import Authority
from haystack.tls.acme.errors import AcmeError, ChallengeError, RefusedError
from haystack.tls.acme.folder import DamagedError, Folder, FolderError
from haystack.tls.acme.history import History, Window
from haystack.tls.acme.lease import BEAT, Lease
from haystack.tls.acme.plan import NEVER, Task
from haystack.tls.acme.reachability import Reachable, Ways
from haystack.tls.acme.reports import Reports
from haystack.tls.acme.stored_certificates import StoredCertificates
from haystack.tls.acme.wanted import WILDCARD, Picture, Wanted, why_not
from haystack.tls.certificate import day

AT_ONCE = 4  # orders
LOOKS = 8  # questions for suggestions in a round
OFTEN = 60.0  # seconds between two looks at the folder
WATCH = 5.0  # the same, where another one orders
SOON = 60.0  # seconds: a new certificate that is due by then would be ordered without end, as by a clock that is far ahead
BURST = 1.0  # seconds for which changes gather before they are looked at


class Issuer:
    """reach: of names without a wildcard; dns: of the others, None where these can't be had; public: the authority is for everybody.

    https: what haystack.https is of services that have none.
    """

    def __init__(
        self,
        authority: Authority,
        folder: Folder,
        lease: Lease,
        shelf: Callable[[Callable[[str], Window | None], Callable[[str, str], None]], StoredCertificates],
        reach: Reachable,
        dns: Reachable | None,
        reports: Reports,
        *,
        public: bool,
        https: str = "on",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._authority = authority
        self._folder, self._lease = folder, lease
        self._ways = Ways(reach, dns)
        self._reports = reports
        self._public, self._clock = public, clock
        self._wanted = Wanted(https)
        self._untold = False  # whether what it remembers was not told yet
        self._history: History | None = None
        self._written = b""
        self._door = asyncio.Lock()  # what is written last is the newest
        self._hopeless: dict[str, str] = {}  # names that no authority can be asked for → why
        self.shelf = shelf(self._window, reports.damaged)
        self.news = asyncio.Event()

    def follow(self, snapshot: Picture) -> Turns[None]:
        """A reader of snapshots."""
        before = self._wanted.names
        yield from self._wanted.follow(snapshot)
        if self._wanted.names is not before:
            self.news.set()

    async def load(self) -> None:
        """Have what is kept served; what can't be read is told."""
        try:
            await self.shelf.look(ours=False)
        except FolderError as error:
            self._reports.unkept(str(error))

    async def run(self) -> None:
        """Until it is cancelled: then the lease is free."""
        beat = asyncio.create_task(self._beat(), name="acme lease")
        try:
            while True:
                self.news.clear()
                await self._rest(await self.round())
        finally:
            beat.cancel()
            await asyncio.gather(beat, return_exceptions=True)
            await asyncio.to_thread(self._lease.release)  # it waits for a `take` that is under way

    async def _rest(self, seconds: float) -> None:
        """Wait so long, or until something has changed; changes come in bursts."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.news.wait()
        await asyncio.sleep(BURST)

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(BEAT)
            if self._lease.held:
                with contextlib.suppress(OSError):
                    await asyncio.to_thread(self._lease.take)

    async def round(self) -> float:
        """Do what there is to do; seconds until there may be more."""
        try:
            seconds = await self._round()
        except Exception as error:  # noqa: BLE001 - what nobody has thought of ends no renewal for good
            self._reports.failed(error)
            return OFTEN
        else:
            self._reports.succeeded()
            return seconds
        finally:
            self._reports.tell()

    async def _round(self) -> float:
        try:
            return await self._lead() if await asyncio.to_thread(self._lease.take) else await self._watch()
        except FolderError as error:
            self._reports.unkept(str(error))
        except OSError as error:
            self._reports.unkept(f"{self._folder.path}: {error.strerror or error}")
        with contextlib.suppress(FolderError):
            await self.shelf.look(ours=False)  # what can be read is served all the same
        return OFTEN

    async def _watch(self) -> float:
        """Another one has the lease: serve what it gets."""
        self._reports.leads(ours=False)
        self._history = None  # which it writes now
        await self.shelf.look(ours=False)
        return WATCH

    async def _lead(self) -> float:
        self._reports.leads(ours=True)
        history = self._history
        if history is None:
            history = self._history = await self._remembered()
            self._untold = True
            await self.shelf.look(ours=False)  # before anything is put back: another one may have written meanwhile
            await in_turns(self.shelf.weigh_all())
        else:
            await self.shelf.look(ours=True)
        self._reports.kept()
        await in_turns(self._tidy(history))
        await self._listen(history)
        now = self._clock()
        await self._reconsider(history, now)
        if self._untold:
            await in_turns(self._reports.remembered(history, now))
            self._untold = False
        made = await in_turns(plan.made(self._wanted.names, self.shelf.held, now, self._free))
        for key in {*self.shelf.spent(made.idle, now), *made.replaced}:
            await self.shelf.drop(key)
        if made.tasks and history.open(now) <= now:
            try:
                await self._work(made.tasks[: 1 if history.authority.failures else AT_ONCE], history)
            finally:
                await self._save(history)
            return 0.0
        await self._save(history)
        again = history.open(now) if made.tasks else made.next
        looks = [window.look for window in history.windows.values() if window.look > now]  # those of ended ones stay in the past
        return max(0.0, min(OFTEN, min([again, *looks]) - self._clock()))

    async def _remembered(self) -> History:
        """What is kept; nothing, where that is damaged. Raises FolderError."""
        try:
            return await asyncio.to_thread(self._folder.history) or History()
        except DamagedError as error:
            self._reports.damaged("history.json", str(error))
            return History()

    def _free(self, name: str) -> float:
        """From when a name may be ordered."""
        why = why_not(name, public=self._public)
        if not why and name.startswith(WILDCARD) and not self._ways.wildcards:
            why = "a wildcard needs dns-01: set HAYSTACK_ACME_DNS_ZONE to a zone that is delegated to Haystack"
        if why:
            if self._hopeless.get(name) != why:
                self._hopeless[name] = why
                self._reports.unasked(name, why, 0.0)
            return NEVER
        return self._history.free(name, self._clock()) if self._history is not None else NEVER

    async def _work(self, tasks: Iterable[Task], history: History) -> None:
        """Order these certificates, for the names of each that lead here."""
        led = await asyncio.gather(*(self._led(task, history) for task in tasks))
        ready = [task for task in led if task is not None]
        found = await asyncio.gather(*(self._order(task, history) for task in ready), return_exceptions=True)
        other = [error for error in found if error is not None and not isinstance(error, AcmeError)]
        if shared := [error for error in found if isinstance(error, AcmeError) and error.shared]:
            worst = max(shared, key=lambda error: error.retry_after)
            self._authority.client.forget()
            again = history.unreachable(str(worst), self._clock(), 0.0 if worst.limited else worst.retry_after)
            self._reports.unreachable(str(worst), again)
        elif len(other) < len(ready):
            history.reached()
            self._reports.reachable()
        if other:
            raise other[0]

    async def _led(self, task: Task, history: History) -> Task | None:
        """The same for those of its names that lead here; None: none does."""
        whys = await asyncio.gather(*map(self._ways.why_not, task.names))
        names = [name for name, why in zip(task.names, whys, strict=True) if not why]
        for name, why in zip(task.names, whys, strict=True):
            if why:
                self._reports.unasked(name, why, history.misled(name, why, self._clock()), task.renews)
        if len(names) == len(task.names):
            return task
        left = task.needed & set(names)
        return Task(plan.key_of(names), tuple(names), left, "", task.expires, task.renews) if left else None

    async def _order(self, task: Task, history: History) -> AcmeError | None:
        """Why it did not succeed. What became of it is kept at once: the other orders may take minutes, and this process may die."""
        self._reports.ordered(task)
        try:
            made = await self._authority.obtain(task)
        except AcmeError as error:
            if not error.shared or error.limited:
                self._blame(task, error, history, self._clock())
                await self._save(history)
            return error
        except FolderError:
            raise
        except Exception as error:  # one that fails like this each time would keep the place of others
            self._blame(task, AcmeError(f"a fault of Haystack's own: {error!r}"), history, self._clock())
            await self._save(history)
            raise
        self.shelf.put(task.key, made)
        renewal, now = self.shelf.held[task.key].renewal, self._clock()
        self._reports.issued(task, made, renewal)
        if renewal < now + SOON:
            why = f"due for renewal at once: what was issued is valid until {day(made.not_after)}, and here it is {day(now)}"
            again = history.refused(task.names, why, now, made.not_after, early=True)
            self._reports.early(task.names, why, again)
            await self._save(history)
        else:
            history.issued(task.names)
        return None

    async def _reconsider(self, history: History, now: float) -> None:
        """Forget that certificates were due as they came, where they are not: the clock was set, or other times are suggested."""
        if names := history.early:
            lasting = await in_turns(plan.lasting(self.shelf.held, names, now + SOON))
            history.issued(lasting)
            self._reports.lasting(lasting)

    def _blame(self, task: Task, error: AcmeError, history: History, now: float) -> None:
        """Those of its names that it is about wait; the others are ordered without them."""
        about: Mapping[str, str] = error.names if isinstance(error, (ChallengeError, RefusedError)) else {}
        blamed = [name for name in task.names if name in about] or list(task.names)
        again = history.refused(blamed, str(error), now, task.expires, error.retry_after)
        self._reports.refused(blamed, str(error), again, task.renews)

    def _window(self, fingerprint: str) -> Window | None:
        return self._history.windows.get(fingerprint) if self._history is not None else None

    async def _listen(self, history: History) -> None:
        """Ask what the authority suggests for the certificates that it was not asked about for long."""
        now = self._clock()
        if history.open(now) > now:
            return
        for key in (await in_turns(self.shelf.unheard(now)))[:LOOKS]:
            mark, renewal_id = self.shelf.there[key].fingerprint, self.shelf.held[key].renewal_id
            history.windows[mark] = await ari.window(self._authority.client, renewal_id, now, history.windows.get(mark, Window()))
            self.shelf.weigh(key)

    def _tidy(self, history: History) -> Turns[None]:
        """Forget what was about names and certificates that are no more."""
        names: set[str] = set()
        marks: set[str] = set()
        for some in tuple(self._wanted.names.values()):
            names.update(some)
            yield
        for one in tuple(self.shelf.there.values()):
            marks.add(one.fingerprint)
            yield
        yield from history.only(names, marks)
        self._hopeless = {name: why for name, why in self._hopeless.items() if name in names}
        self._reports.only(names)

    async def _save(self, history: History) -> None:
        """Where it is other than what is kept. Raises FolderError."""
        async with self._door:
            data = msgspec.json.encode(history)
            if data != self._written:
                await asyncio.to_thread(self._folder.keep_history, data)
                self._written = data
