"""The list of other Haystacks: which columns a person sees, and the JSON that a script gets. Pure."""

from __future__ import annotations

from haystack.console.listing import ALL, Listing, Wanted, json_array, shown
from haystack.console.long_text import Lines
from haystack.console.tables import Column, moment
from haystack.console.wrapping import prose
from haystack.dns.peers import Standing
from haystack.loop.turns import Turns
from haystack.views import shapes
from haystack.views.state import State

PEER = (
    Column("peer", fold=True, squeezed=24),
    Column("asked at", fold=True),
    "state",
    Column("since", spare=2),
    Column("last answer", spare=1),
    "names",
    Column("last error", fold=True),
)
NONE = "no peers: HAYSTACK_PEERS names other Haystacks, and tasks of Haystack's own Swarm service find each other"


def peers_text(state: State, width: int | None, wanted: Wanted = ALL) -> Turns[list[str]]:
    """A line a peer, answering or not."""
    out, found = Lines(), state.peers()
    if found:
        yield from shown(out, PEER, map(_row, found), width, wanted)
    else:
        out.add(*prose([NONE], width))
    return out.pieces()


def peers_json(state: State, wanted: Wanted = ALL) -> Turns[list[str]]:
    """As in /api/info."""
    return (yield from json_array(shape for shape in map(shapes.peer_shape, state.peers()) if wanted.fits(shape.values())))


def _row(peer: Standing) -> tuple[object, ...]:
    place = f"[{peer.address}]:{peer.port}" if ":" in peer.address else f"{peer.address}:{peer.port}"
    state = "up" if peer.up else "out"
    return (peer.name, place if peer.address else None, state, moment(peer.since), moment(peer.answered), peer.names, peer.error or None)


PEERS = Listing(peers_text, peers_json)
