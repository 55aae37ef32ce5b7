"""Lists of thousands: no step of the work holds the loop for long, and the text comes in pieces."""

from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from haystack.console.command import Context
from haystack.console.listing import as_json
from haystack.console.long_text import PIECE
from haystack.console.shell import run, work
from haystack.model.services import Service
from haystack.proxy.counters import Counts, Place
from tests.fakes.effort import calls
from tests.fakes.state import ENDPOINT, ID, NAME, picture, state

MANY = 2000
MOST = 4 * MANY  # calls in a step: one look at each of all there is, and no more
LINES = [
    *("services", "containers", "endpoints", "networks", "services --json", "containers --json", "endpoints --json", "metrics"),
    *(
        f"service {NAME}",
        f"service {NAME} --json",
        f"explain {NAME} --json",
        "endpoints --gone --json",
        "service nobody",
        f"explain {NAME}",
        "explain n7.services.haystack",
        "explain nobody.services.haystack",
    ),
]


@pytest.fixture(scope="module")
def large():
    """A service with thousands of endpoints, and thousands with one; each has had requests."""
    seen = picture()
    one = seen.containers[ID]
    ids = [f"{n:012x}".ljust(64, "a") for n in range(MANY)]
    seen.containers = {i: replace(one, id=i, name=f"c{n}", services=("nginx", f"n{n}")) for n, i in enumerate(ids)}
    endpoints = tuple(replace(ENDPOINT, id=f"{i[:12]}:80/tcp", container=i, container_name=c.name) for i, c in seen.containers.items())
    seen.services = {NAME: Service(name=NAME, endpoints=endpoints)}
    seen.services |= {name: Service(name=name, endpoints=(endpoints[n],)) for n in range(MANY) for name in (f"n{n}.services.haystack",)}
    made = state(snapshot=seen)
    made.proxy.requests = {(name, 80): Counts({Place(s.endpoints[0].id, "10.0.0.1", 80): 1}) for name, s in seen.services.items()}
    return made


@pytest.mark.parametrize("line", LINES)
@pytest.mark.parametrize("width", [None, 80])
def test_no_step_does_much(large, line, width):
    steps, asked = [], work(large, line.split(), Context(width))
    while not steps or steps[-1]:
        steps.append(calls(lambda: next(asked, None)) if asked.gi_frame is not None else 0)
    assert max(steps) < MOST


@pytest.mark.parametrize("name", [NAME, "nobody.services.haystack"])
def test_no_step_does_much_for_a_crowd_without_ports(large, name):
    """`explain` tells of each of them."""
    seen = large.snapshot
    crowd = {i: replace(c, ports=(), services=(name.partition(".")[0],)) for i, c in seen.containers.items()}
    made = state(snapshot=SimpleNamespace(**vars(seen) | {"containers": crowd}))
    steps, asked = [], work(made, ["explain", name], Context(80))
    while not steps or steps[-1]:
        steps.append(calls(lambda: next(asked, None)) if asked.gi_frame is not None else 0)
    assert max(steps) < MOST


@pytest.mark.parametrize("line", LINES)
def test_the_text_comes_in_pieces(large, line):
    pieces = run(large, line.split()).pieces
    assert max(map(len, pieces)) < 3 * PIECE


def test_a_piece_ends_where_a_line_does(large):
    pieces = run(large, ["endpoints"]).pieces
    assert len(pieces) > 2
    assert all(piece.endswith("\n") for piece in pieces[:-1])
    lines = "".join(pieces).splitlines()
    assert len(lines) == 2 + 2 * MANY
    assert all(line.startswith("n") for line in lines[2:])


def test_a_name_that_is_no_utf_8_is_escaped_as_json():
    """As a file's name in a folder of certificates: the whole list failed for it."""
    assert as_json({"file": "caf\udce9.pem"}) == '{\n  "file": "caf\\udce9.pem"\n}'
