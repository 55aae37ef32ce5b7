"""The log: structlog to standard error, one line an event, as JSON or for a person.

Everything goes one way: what docker, asyncssh and uvicorn say by the standard logging passes through the same
processors, so a line has one form whoever wrote it. Never writes to a file and never rotates: the engine keeps it.
"""

from __future__ import annotations

import logging
import sys
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from haystack.model.spelling import LEVELS
from haystack.observe.safe_text import printable
from haystack.observe.unblocked import Unblocked

# These tell of each connection, request and change of a file at INFO: a log that a port scan can fill is no log. DEBUG shows them.
CHATTY = ("asyncssh", "uvicorn", "urllib3", "docker", "asyncio")
NEVER = ("watchfiles",)  # tells of each file that changes, the log too, if that is one: without end
MICROSECONDS = len("2026-01-01T00:00:00.000000")
WIDTH = 18  # of an event's name in a line for a person: most names are no longer
# Fields as the code orders them, for the first is what a line is about; tracebacks without variables, which could hold a key.
CONSOLE = structlog.dev.ConsoleRenderer(WIDTH, colors=False, sort_keys=False, exception_formatter=structlog.dev.plain_traceback)


def configure(level: str = "info", form: str = "console", stream: TextIO | None = None) -> None:
    """Set the log up, replacing any earlier set-up. form: ``console`` or ``json``. Raises ValueError for another word."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    handler = _handler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, structlog.stdlib.ExtraAdder()],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *renderers(form)],
        )
    )
    logging.getLogger().handlers[:] = [handler]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    set_level(level)


def _handler(stream: TextIO) -> logging.Handler:
    try:
        return Unblocked(stream)
    except (OSError, ValueError):  # it has no descriptor: a test's
        return logging.StreamHandler(stream)


def set_level(level: str) -> None:
    """Show this level and above from now on. Raises ValueError for a word that is not in LEVELS."""
    number = numeric(level)
    logging.getLogger().setLevel(number)
    quiet = number if number <= logging.DEBUG else max(number, logging.WARNING)
    for name in CHATTY:
        logging.getLogger(name).setLevel(quiet)
    for name in NEVER:
        logging.getLogger(name).setLevel(max(number, logging.WARNING))


def numeric(level: str) -> int:
    """The standard logging's number of a level."""
    if level.lower() not in LEVELS:
        raise ValueError(f"{level!r} is not a log level; it is one of {', '.join(LEVELS)}")
    return int(getattr(logging, level.upper()))


def renderers(form: str) -> list[Processor]:
    """The last steps, which turn an event into its line."""
    if form == "json":
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    if form == "console":
        return [visible, brief, CONSOLE]
    raise ValueError(f"{form!r} is not a log format; it is console or json")


def brief(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """What a person needs of a line: the time to the millisecond, no name of a module of ours, and no field that says nothing."""
    if str(event.get("logger", "")).startswith("haystack"):
        del event["logger"]
    at = str(event.get("timestamp", ""))
    if len(at) > MICROSECONDS:
        event["timestamp"] = f"{at[:-4]}Z"
    return {key: value for key, value in event.items() if value not in (None, "")}


def visible(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """Escape what could move a terminal's cursor: events quote names and requests of strangers."""
    for key, value in event.items():
        if isinstance(value, str) and key != "exception":
            event[key] = printable(value)
    return event
