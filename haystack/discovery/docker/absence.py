"""Tells the log that an engine does not answer: at once, when the reason changes, and again each minute with what to do.

Never decides when it is asked again (provider.py).
"""

from __future__ import annotations

import time

import structlog

from haystack.discovery.docker import advice, client
from haystack.discovery.docker.silence import StreamEndedError
from haystack.discovery.docker.tls import TlsError, TunnelError

_log = structlog.get_logger("haystack.discovery.docker")


class Absence:
    """Of the engine at `host`. remind: seconds; certified: whether it is shown a client certificate."""

    def __init__(self, host: str, shown: str, certified: bool, remind: float) -> None:
        self._host, self._shown = host, shown
        self._certified = certified
        self._remind = remind
        self._since = self._last = 0.0
        self._text = ""

    def tell(self, error: BaseException, *, listed: bool, after: float) -> str:
        """Tell of a try that failed, the next one of which is `after` seconds away; why, in one line. listed: it had answered before."""
        now = time.monotonic()
        if listed or not self._text:
            self._since = now
        text = str(error) if isinstance(error, TlsError | TunnelError | StreamEndedError) else client.explain(error, self._certified)
        due = listed or text != self._text or now - self._last >= self._remind
        if due:
            self._last = now
        away = now - self._since if now - self._since >= self._remind else None
        hint = advice.hint(self._host, error) or None
        tell = _log.warning if due else _log.debug
        tell("engine.retry", host=self._shown, error=text, hint=hint, after=round(after, 2), away=away and round(away))
        self._text = text
        return text
