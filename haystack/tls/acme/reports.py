"""What is told of certificates: to the log, as problems, and in the store for /api/certificates and the shell's `certs`.

Never does: decide. What is told once is not told again before it has changed.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from heapq import nsmallest

import structlog

from haystack.loop.turns import Turns
from haystack.model.records import Problem
from haystack.observe.bursts import Crowd
from haystack.tls.acme.history import Failed, History
from haystack.tls.acme.plan import Task
from haystack.tls.certificate import Certificate
from haystack.tls.store import ACME, Store, key_of_name

MOST = 100  # problems of names: a thousand lines of the same help nobody
_AUTHORITY, _FOLDER = "HAYSTACK_ACME", "HAYSTACK_STATE_DIR"
log = structlog.get_logger(__name__)


class Reports:
    """complain: takes all problems that there are now; url: of the authority."""

    def __init__(self, url: str, store: Store, complain: Callable[[tuple[Problem, ...]], None]) -> None:
        self._url = url
        self._store = store
        self._complain = complain
        self._crowd = Crowd(__name__)
        self._problems: dict[str, str] = {}  # by what they are about
        self._fault = ""  # of Haystack itself
        self._leading: bool | None = None

    def leads(self, *, ours: bool) -> None:
        """Whether it is we who order."""
        if ours == self._leading:
            return
        self._leading = ours
        if ours:
            log.info("acme.leading", authority=self._url)
        else:
            log.info("acme.following", authority=self._url, reason="another Haystack with the same state folder orders certificates")

    def registered(self, account: str) -> None:
        """There is a new account."""
        log.info("acme.registered", authority=self._url, account=account)

    def ordered(self, task: Task) -> None:
        """A certificate is asked for."""
        self._crowd.info("certificate.ordered", names=list(task.names), authority=self._url)

    def issued(self, task: Task, made: Certificate, renewal: float) -> None:
        """And here it is."""
        self._crowd.info(
            "certificate.issued", names=list(made.names), issuer=made.issuer, not_after=_time(made.not_after), renewal=_time(renewal)
        )
        for name in task.names:
            self._well(name)

    def lasting(self, names: Iterable[str]) -> None:
        """These have a certificate that is not due, other than it seemed when it came."""
        for name in names:
            self._well(name)

    def early(self, names: Iterable[str], why: str, again: float) -> None:
        """What was issued is served, and due for renewal already."""
        told = list(names)
        self._crowd.warning("certificate.early", names=told, reason=why, again=_time(again))
        for name in told:
            self._ill(name, why, again, ())  # what it replaces is no worse for it

    def refused(self, names: Iterable[str], error: str, again: float, renews: Iterable[str] = ()) -> None:
        """The authority does not give it, for these names. renews: keys of the certificates that they have still."""
        told = list(names)
        self._crowd.warning("certificate.refused", names=told, error=error, again=_time(again))
        for name in told:
            self._ill(name, f"no certificate: {error}", again, renews)

    def unasked(self, name: str, why: str, again: float, renews: Iterable[str] = ()) -> None:
        """The authority was not asked, for it would not find us. again: 0.0: not before something changes; renews: as above."""
        if self._problems.get(name) != why:
            self._crowd.warning("certificate.unasked", name=name, reason=why, again=_time(again) if again else None)
        self._ill(name, why, again, renews)

    def remembered(self, history: History, now: float) -> Turns[None]:
        """What failed before this process began, or had the lease, and waits: it may be a day until it is tried again."""
        if history.open(now) > now:
            self.unreachable(history.authority.error, history.authority.again)
        for name, failed in tuple(history.names.items()):
            if history.free(name, now) > now:
                self._failed(name, failed)
            yield

    def _failed(self, name: str, failed: Failed) -> None:
        if failed.early:
            self.early((name,), failed.error, failed.again)
        elif failed.asked:
            self.refused((name,), failed.error, failed.again)
        else:
            self.unasked(name, failed.error, failed.again)

    def unreachable(self, error: str, again: float) -> None:
        """The authority can't be asked for anything."""
        log.warning("acme.unreachable", authority=self._url, error=error, again=_time(again))
        self._problems[_AUTHORITY] = f"{self._url}: {error}"

    def reachable(self) -> None:
        """It can."""
        if self._problems.pop(_AUTHORITY, None) is not None:
            log.info("acme.reachable", authority=self._url)

    def unkept(self, error: str) -> None:
        """The state folder can't be read or written, so nothing is asked for: it would be asked for again at each start."""
        if self._problems.get(_FOLDER) != error:
            log.error("acme.unkept", error=error, reason="no certificate is ordered that can't be kept")
        self._problems[_FOLDER] = error

    def kept(self) -> None:
        """It can."""
        self._problems.pop(_FOLDER, None)

    def failed(self, error: Exception) -> None:
        """What nobody has thought of; it is tried again."""
        fault = repr(error)
        if fault != self._fault:
            log.error("acme.failed", error=fault, exc_info=error)
        self._fault = fault

    def succeeded(self) -> None:
        """This time there was nothing of the kind."""
        self._fault = ""

    def damaged(self, file: str, error: str) -> None:
        """A file of the state folder can't be used; it is as if it were not there."""
        self._crowd.warning("certificate.damaged", file=file, error=error)

    def only(self, names: set[str]) -> None:
        """Forget what was told of all others: nobody wants them any more."""
        for name in [each for each in self._problems if each not in names and each not in (_AUTHORITY, _FOLDER)]:
            self._well(name)

    def _ill(self, name: str, why: str, again: float, renews: Iterable[str]) -> None:
        for key in (key_of_name(name), *renews):
            self._store.fail(ACME, key, why, again)
        self._problems[name] = why

    def _well(self, name: str) -> None:
        self._store.remove(ACME, key_of_name(name))
        self._problems.pop(name, None)

    def tell(self) -> None:
        """Have the problems told that there are by now: once after much that has happened."""
        some = nsmallest(MOST, self._problems.items(), key=lambda item: (item[0] not in (_AUTHORITY, _FOLDER), item[0]))
        if self._fault:
            some.insert(0, (_AUTHORITY, f"a fault of Haystack's own, which its log has whole: {self._fault}"))
        self._complain(tuple(Problem(subject=about, message=why) for about, why in some))


def _time(seconds: float) -> str:
    return dt.datetime.fromtimestamp(seconds, dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
