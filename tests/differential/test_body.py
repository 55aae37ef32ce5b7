"""Our chunked decoder beside llhttp (httptools) and h11, and beside a slow reading of the grammar.

Where we refuse, `spelled` names the rule that is broken. Where an oracle refuses what we take, it is for an extension or a trailer, which
we pass over and never send on (RFC 9112, sections 7.1.1 and 7.1.2): without them the oracle must read what we read.
HAYSTACK_TEST_EXAMPLES=N: N times as many cases, and new ones each time.
"""

from __future__ import annotations

import os
from random import Random

import pytest

from tests.differential import compare
from tests.differential.bodies import Body, by_h11, llhttp, ours
from tests.fuzz import mutate

TIMES = int(os.environ.get("HAYSTACK_TEST_EXAMPLES", "0"))
SEEDS = [Random().getrandbits(32) for _ in range(8 * TIMES)] or list(range(8))
A_SEED = 300


def check(data):
    compare.bodies(data)
    compare.bodies_in_pieces(data)


@pytest.mark.parametrize(("name", "data"), mutate.corpus("body").items(), ids=lambda v: v if isinstance(v, str) else "")
def test_the_corpus(name, data):
    check(data)


@pytest.mark.parametrize("seed", SEEDS)
def test_damaged_bodies(seed):
    bodies = list(mutate.corpus("body").values())
    random = Random(seed)
    for _ in range(A_SEED):
        check(mutate.mutated(random, random.choice(bodies), bodies))


@pytest.mark.parametrize("seed", SEEDS)
def test_well_formed_bodies(seed):
    """Random sizes, cases and leading zeros: all three take them whole."""
    random = Random(seed)
    for _ in range(A_SEED // 5):
        chunks = [random.randbytes(random.choice((1, 2, 9, 15, 16, 17, 255, 256, 300))) for _ in range(random.randrange(6))]
        made = b"".join(size(random, chunk) + b"\r\n" + chunk + b"\r\n" for chunk in chunks) + b"0" * random.randint(1, 4) + b"\r\n\r\n"
        assert ours([made]) == by_h11(made) == Body(b"".join(chunks), True, b"")
        assert llhttp(made) == Body(b"".join(chunks), True, None)
        check(made)


def size(random, chunk):
    """The chunk's size, in a random case, after up to three zeros."""
    return (b"0" * random.randrange(4)) + random.choice([b"%x", b"%X"]) % len(chunk)


@pytest.mark.parametrize("digits", range(12, 24))
def test_sizes_at_the_edge_of_what_can_be_counted(digits):
    check(b"f" * digits + b"\r\nabc")
    check(b"3".rjust(digits, b"0") + b"\r\nabc\r\n0\r\n\r\n")
