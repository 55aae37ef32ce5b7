"""What has been tried, and with what success: kept across restarts, so that none asks again before its time. Pure.

Times are Unix seconds. Methods take `now` from their caller.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from haystack.loop.turns import Turns
from haystack.tls.acme.renewal import OF_AUTHORITY, OF_LOOKS, again, drawn, in_time

MOST_ERROR = 400  # characters


class Failed(msgspec.Struct):
    """What went wrong with a name, how often in a row, and when it is tried again. asked: the authority was asked, and not DNS alone.

    early: a certificate was issued, and was due for renewal as it came.
    """

    failures: int = 0
    again: float = 0.0
    error: str = ""
    asked: bool = False
    early: bool = False


class Window(msgspec.Struct, frozen=True):
    """What the authority suggests for a certificate's renewal (RFC 9773). look: when it is asked next."""

    start: float = 0.0
    end: float = 0.0
    look: float = 0.0
    why: str = ""


class History(msgspec.Struct):
    """names: that have failed; authority: when it could not be asked at all; windows: by the certificate's fingerprint."""

    names: dict[str, Failed] = {}
    authority: Failed = msgspec.field(default_factory=Failed)
    windows: dict[str, Window] = {}

    def free(self, name: str, now: float) -> float:
        """From when this name may be ordered."""
        failed = self.names.get(name)
        return in_time(failed.again, now) if failed is not None else 0.0

    def open(self, now: float) -> float:
        """From when the authority may be asked."""
        return in_time(self.authority.again, now)

    @property
    def early(self) -> list[str]:
        """Names whose certificate was due for renewal as it came."""
        return [name for name, failed in self.names.items() if failed.early]

    def refused(
        self, names: Iterable[str], error: str, now: float, expires: float = 0.0, retry_after: float = 0.0, *, early: bool = False
    ) -> float:
        """The authority could not be shown that these are ours, or refuses them: when the last of them is tried again. early: as above."""
        last = now
        for name in names:
            failed = self._failed(name, error, asked=True, early=early)
            failed.again = again(failed.failures, drawn(f"{name} {failed.failures} {now}"), expires, now, retry_after)
            last = max(last, failed.again)
        return last

    def misled(self, name: str, error: str, now: float) -> float:
        """A name does not lead here: when DNS is asked again. What the authority has refused before does not come earlier for that."""
        failed = self._failed(name, error, asked=False)
        failed.again = max(in_time(failed.again, now), now + OF_LOOKS.wait(failed.failures, drawn(f"{name} {failed.failures}")))
        return failed.again

    def _failed(self, name: str, error: str, *, asked: bool, early: bool = False) -> Failed:
        failed = self.names.setdefault(name, Failed())
        if failed.asked != asked:
            failed.failures = 0
        failed.failures += 1
        failed.error, failed.asked, failed.early = error[:MOST_ERROR], asked, early
        return failed

    def unreachable(self, error: str, now: float, retry_after: float = 0.0) -> float:
        """The authority can't be asked: when it is again."""
        failed = self.authority
        failed.failures += 1
        failed.error = error[:MOST_ERROR]
        failed.again = now + max(retry_after, OF_AUTHORITY.wait(failed.failures, drawn(f"{failed.failures} {now}")))
        return failed.again

    def reached(self) -> None:
        """It can be."""
        self.authority = Failed()

    def issued(self, names: Iterable[str]) -> None:
        """These have their certificate."""
        for name in names:
            self.names.pop(name, None)

    def only(self, names: set[str], fingerprints: set[str]) -> Turns[None]:
        """Forget all others."""
        for name in [name for name in self.names if name not in names]:
            del self.names[name]
        yield
        for mark in [mark for mark in self.windows if mark not in fingerprints]:
            del self.windows[mark]
        yield
