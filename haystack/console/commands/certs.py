"""`certs`: all certificates, until when they are valid, and what went wrong with those that are not there."""

from __future__ import annotations

import time

from haystack.console import listing
from haystack.console.command import JSON, Asked, Command, Context, Result
from haystack.console.commands.lists import FILTER
from haystack.console.long_text import Lines
from haystack.console.tables import Column, age, moment
from haystack.loop.turns import Turns, stretches
from haystack.observe.safe_text import printable
from haystack.views import certificates
from haystack.views.answers import CertificateAnswer
from haystack.views.state import State

TITLES = (
    Column("names", fold=True),
    "source",
    Column("issuer", fold=True, spare=2),
    "expires",
    Column("renewal", spare=1),
    Column("error", fold=True),
)


def certs(state: State, asked: Asked, context: Context) -> Turns[Result]:
    """A line a certificate."""
    wanted = listing.Wanted(tuple(asked["filter"]))
    shapes = certificates.shapes(state.certificates.picture)
    if asked["json"]:
        return Result((yield from listing.json_array(each for each in shapes if wanted.fits(row(each, 0.0)))))
    out, now = Lines(), time.time()
    if state.certificates.picture.entries:
        yield from listing.shown(out, TITLES, (row(each, now) for each in shapes), context.width, wanted)
    else:
        out.add("no certificates: set HAYSTACK_ACME, or HAYSTACK_TLS_LOCAL=on")
    yield from _passed(state, out, wanted)
    return Result(out.pieces())


def _passed(state: State, out: Lines, wanted: listing.Wanted) -> Turns[None]:
    """Names for which containers have certificates of their own."""
    for some in stretches(tuple(state.snapshot.services.values())):
        for service in some:
            if service.passed and wanted.fits((sorted(service.passed), service.name)):
                names = ", ".join(sorted(service.passed))
                out.add(printable(f"passed through to {service.name}, which has its own: {names}"))
        yield


def row(shape: CertificateAnswer, now: float) -> listing.Row:
    """One of them for a person."""
    return (
        shape["names"],
        shape["source"],
        shape["issuer"],
        _left(shape["not_after"], now),
        _moment(shape["next_renewal"]),
        shape["last_error"],
    )


def _left(end: object, now: float) -> str | None:
    if not isinstance(end, float):
        return None
    return f"in {age(end - now)}" if end > now else f"{age(now - end)} ago"


def _moment(seconds: object) -> str | None:
    return moment(seconds) if isinstance(seconds, float) else None


COMMAND = Command(
    "certs", "all certificates, until when they are valid, and what is wrong", (FILTER, JSON), certs, example="certs example.com"
)
