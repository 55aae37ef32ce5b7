"""The shapes of /api/explain and /api/dns: what the page's look-ups are answered."""

from __future__ import annotations

from typing import TypedDict

from haystack.views.answers import ClaimAnswer, LiveEndpoint


class ExplainAnswer(TypedDict):
    """Which service answers a URL, by which rule, with which endpoints (100 at most).

    service, rule null: none. lines: all of it for people.
    """

    host: str
    path: str
    service: str | None
    rule: ClaimAnswer | None
    endpoints: list[LiveEndpoint]
    lines: list[str]


class DnsAnswer(TypedDict):
    """What DNS says of a name. records: in the form of a zone file (RFC 1035); lines: status, all sections, and where it is from."""

    name: str
    type: str
    records: list[str]
    lines: list[str]
