"""The access log: one line an exchange on standard output, as JSON or in the common log format.

Fed by the trace hub, so that it costs the workers nothing while it is off. Never filters and never rotates: that is the reader's business.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TextIO

import msgspec
import structlog

from haystack.observe.text import printable
from haystack.observe.trace import Trace, TraceHub

log = structlog.get_logger("haystack.accesslog")


def common(trace: Trace) -> str:
    """Apache's common log format: client, time, request line, status, bytes of the body."""
    when = time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(trace.time))
    request = printable(f"{trace.method} {trace.target} HTTP/{trace.version}").replace('"', "%22")
    return f'{trace.client} - - [{when}] "{request}" {trace.status} {trace.sent or "-"}'


def as_json(trace: Trace) -> str:
    """All that is known of the exchange, one object a line."""
    return msgspec.json.encode(trace).decode()


FORMATS: dict[str, Callable[[Trace], str]] = {"common": common, "json": as_json}


async def write(hub: TraceHub, form: str, out: TextIO) -> None:
    """Write a line for each exchange until cancelled; when lines had to be dropped, the log says how many."""
    line = FORMATS[form]
    told = 0
    async with hub.subscribe(None, limit=100_000) as traces:
        async for trace in traces:
            out.write(line(trace) + "\n")
            out.flush()
            if traces.dropped > told:
                log.warning("access log can't keep up", dropped=traces.dropped - told)
                told = traces.dropped
