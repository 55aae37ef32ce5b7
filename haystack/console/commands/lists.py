"""`services`, `containers`, `networks`, `engines`, `peers`, `endpoints`: whole lists, or those rows that hold some words."""

from __future__ import annotations

from haystack.console import lists
from haystack.console.command import JSON, Action, Asked, Command, Context, Kind, Result, switch, word
from haystack.console.containers import CONTAINERS
from haystack.console.listing import Listing, Wanted
from haystack.console.peers import PEERS
from haystack.loop.turns import Turns
from haystack.views.state import State

FILTER = word("filter", "TEXT", "only rows that hold this text; * stands for anything", needed=False, many=True)


def listed(listing: Listing) -> Action:
    """What shows a list, or its JSON with --json."""

    def action(state: State, asked: Asked, context: Context) -> Turns[Result]:
        wanted = Wanted(tuple(asked["filter"]), gone=asked.get("gone", False))
        return Result((yield from listing.json(state, wanted) if asked["json"] else listing.text(state, context.width, wanted)))

    return action


def command(name: str, listing: Listing, summary: str, example: str, names: Kind | None = None, *, gone: bool = False) -> Command:
    """The command of one list. names: what completes its words."""
    more = (switch("gone", "also those of containers that ended in the last minute"),) if gone else ()
    words = word("filter", "TEXT", FILTER.told, completes=names or (), needed=False, many=True)
    return Command(name, summary, (words, *more, JSON), listed(listing), example=example)


COMMANDS = (
    command("services", lists.SERVICES, "all services, and how many of their endpoints are ready", "services web", Kind.SERVICES),
    command("containers", CONTAINERS, "all containers, their addresses and services", "containers 172.17.0", Kind.CONTAINERS),
    command("networks", lists.NETWORKS, "all networks", "networks bridge"),
    command("engines", lists.ENGINES, "all sources of containers, and whether they answer", "engines"),
    command("peers", PEERS, "other Haystacks, whether they answer, and how many names have their addresses in DNS", "peers out"),
    command("endpoints", lists.ENDPOINTS, "all endpoints of all services", "endpoints out", Kind.SERVICES, gone=True),
)
