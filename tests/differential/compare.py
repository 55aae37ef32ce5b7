"""One head or one body before all readers: no difference without a name. For the differential tests and the fuzz targets.

rules.py and bodies.py name every difference that is meant; any other is an AssertionError, and a bug of ours.
"""

from __future__ import annotations

from tests.differential import bodies as body
from tests.differential import readers as head
from tests.differential.bodies import Body, spelled
from tests.differential.readers import No, Read, lowered
from tests.differential.rules import broken, extent, repaired

FOLLOWERS = [b"\r\n\r\n", b"\n", b" x: y\r\n", b"\0", b"GET / HTTP/1.1\r\nHost: b\r\n\r\n"]


def same_head(mine, other, name):
    """Both took the head: they must have read the same."""
    assert (mine.first, mine.second) == (other.first, other.second), name
    assert mine.minor == min(other.minor, 1), name
    assert lowered(mine.fields) == lowered(other.fields), name
    assert (mine.length, mine.chunked) == (other.length, other.chunked), name


def heads(data, *, request):
    """Our reading beside the rules and the oracles: no difference without a name."""
    mine, number = head.ours(data, request=request)
    if isinstance(mine, Read):
        assert not broken(data[:number], request=request), f"accepted against a rule: {data!r}"
    elif mine is No.REFUSED:
        rules = broken(extent(data), request=request)
        assert any(number in rule.statuses for rule in rules), f"{number} for no reason: {data!r}"
    for name, read in head.ORACLES.items():
        other = read(data, request=request)
        if isinstance(mine, Read):
            if isinstance(other, No):
                mine_too, _ = head.ours(usual := repaired(data, request=request), request=request)
                other = read(usual, request=request)
                assert isinstance(mine_too, Read), f"a repair made it worse: {usual!r}"
                assert isinstance(other, Read), f"{name} refuses what we accept: {data!r}"
                same_head(mine_too, other, name)
            else:
                same_head(mine, other, name)
        elif mine is No.INCOMPLETE:
            assert not isinstance(other, Read), f"{name} sees a whole head where we wait: {data!r}"


def heads_in_pieces(data, *, request):
    """At every place where a packet may end, and with more behind it: the head is the same, or not there yet, or refused already."""
    whole, number = head.ours(data, request=request)
    early = None
    for size in range(len(data)):
        part = head.ours(data[:size], request=request)
        if early or (isinstance(whole, Read) and size >= number):
            assert part == (early or (whole, number)), (size, data)
        elif part[0] is No.REFUSED:
            early = part
        else:
            assert part[0] is No.INCOMPLETE, (size, data)
    if whole is No.INCOMPLETE:
        assert not early, data
        return
    assert early in (None, (whole, number)), data
    for more in FOLLOWERS:
        assert head.ours(data + more, request=request) == (whole, number), (more, data)


def same_body(mine, other, name):
    assert (mine.data, mine.done) == (other.data, other.done), name
    assert other.left in {None, mine.left}, name


def bodies(data):
    """Our reading beside the grammar's and the oracles': no difference without a name."""
    mine, slow = body.ours([data]), spelled(data)
    if slow.rule:
        assert mine is No.REFUSED, f"{slow.rule}, but accepted: {data!r}"
        return
    assert mine == slow.body, data
    for name, read in body.ORACLES.items():
        other = read(data)
        if other is No.REFUSED:
            assert slow.plain != data, f"{name} refuses what we accept: {data!r}"
            other = read(slow.plain)
        assert isinstance(other, Body), f"{name} refuses what is plain: {slow.plain!r}"
        same_body(mine, other, name)


def bodies_in_pieces(data):
    """Byte by byte and at every split: the same body, the same end, the same refusal."""
    whole = body.ours([data])
    assert body.ours([bytes([byte]) for byte in data]) == whole, data
    assert all(body.ours([data[:at], data[at:]]) == whole for at in range(len(data))), data
    if isinstance(whole, Body) and whole.done:
        assert body.ours([data, b"more"]) == whole._replace(left=whole.left + b"more")
