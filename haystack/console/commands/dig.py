"""`dig NAME [TYPE]`: DNS as a client has it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from ipaddress import ip_address

from haystack.console.command import JSON, NOT_FOUND, OK, USAGE, Asked, Command, Context, Kind, Result, option, word
from haystack.console.listing import as_json
from haystack.dns import words
from haystack.model import spelling
from haystack.observe.safe_text import printable
from haystack.views import lookups
from haystack.views.state import State

TYPES = ("A", "AAAA", "CNAME", "HTTPS", "MX", "CAA", "PTR", "SRV", "TXT", "NS", "SOA", "ANY")


def dig(state: State, asked: Asked, context: Context) -> Result:
    """The answer as a client at the asker's side of the network gets it: that of nameservers, or the zone's alone where none was asked.

    Its status comes first.
    """
    if (asked["name"] is None) == (asked["reverse"] is None):
        return Result(f"a name, or -x with an address; usage: {COMMAND.usage}", USAGE)
    name, kind = question(asked)
    answers = state.responder.lookup(name, kind, context.local) if context.heard is None else [*map(str, context.heard)]
    told, lines = lookups.resolved(name, kind, answers), answers or [f"no {kind} record for {name}"]
    text = as_json(told) if asked["json"] else "\n".join(printable(line) for line in lines)
    return Result(text, OK if told["records"] else NOT_FOUND)


async def ahead(state: State, asked: Asked, context: Context) -> Context:
    """What nameservers say."""
    if (asked["name"] is None) == (asked["reverse"] is None):
        return context
    return replace(context, heard=await state.responder.resolve(*question(asked), context.local))


def question(asked: Mapping[str, str | None]) -> tuple[str, str]:
    """Name and type of what is asked."""
    if asked["reverse"] is not None:
        return asked["reverse"], asked["type"] or "PTR"
    return asked["name"] or "", asked["type"] or "A"


def reverse(text: str) -> str:
    """The name below in-addr.arpa or ip6.arpa that an address has (RFC 1035 section 3.5, RFC 3596 section 2.5)."""
    try:
        return ip_address(text).reverse_pointer
    except ValueError:
        raise ValueError("not an address") from None


def dns_name(text: str) -> str:
    """A name, and not a nameserver, as other programs of this name take one."""
    if text.startswith("@"):
        raise ValueError("only this Haystack is asked, so no nameserver can be named")
    return text


def record_type(text: str) -> str:
    """A type of records, by its name or as TYPE65. Raises ValueError."""
    if words.type_number(name := text.upper()) is None:
        near = spelling.nearest(name, TYPES)
        raise ValueError("no such type of records" + (f"; did you mean {near}?" if near else ""))
    return name


COMMAND = Command(
    "dig",
    "query Haystack's DNS, also for other names, and where the answer comes from",
    (
        word("name", "NAME", "any name", takes=dns_name, completes=Kind.NAMES, needed=False),
        word("type", "TYPE", "a type of records; else A, and PTR with -x", takes=record_type, completes=TYPES, needed=False),
        option("reverse", "ADDRESS", "the names of an address", takes=reverse, flags=("-x",)),
        JSON,
    ),
    dig,
    ahead=ahead,
    example="dig _http._tcp.nginx.services.haystack SRV",
)
