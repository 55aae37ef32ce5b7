"""Our head parser beside llhttp (httptools) and h11: who reads a head reads the same, and who refuses it has a rule to say why.

Two readers that differ on one head are how requests are smuggled. rules.py names every difference that is meant; any other is a bug.
HAYSTACK_TEST_EXAMPLES=N: N times as many cases, and new ones each time.
"""

from __future__ import annotations

import os
from random import Random

import pytest
from hypothesis import HealthCheck, example, given, settings

from tests.differential import compare
from tests.differential.heads import REQUEST, RESPONSE, mutated
from tests.differential.readers import ORACLES, No, Read, ours
from tests.differential.rules import FIELDS
from tests.fuzz import mutate

TIMES = int(os.environ.get("HAYSTACK_TEST_EXAMPLES", "0"))
MADE = settings(
    max_examples=250 * max(1, TIMES),
    deadline=None,
    derandomize=not TIMES,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
SEEDS = [Random().getrandbits(32) for _ in range(8 * TIMES)] or list(range(8))
MAX_HEAD = 65536
A_SEED = 300


def check(data, *, request):
    compare.heads(data, request=request)
    compare.heads_in_pieces(data, request=request)


@MADE
@given(REQUEST | mutated(REQUEST))
@example(b"GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
@example(b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
@example(b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n")
def test_requests_from_the_grammar(data):
    check(data, request=True)


@MADE
@given(RESPONSE | mutated(RESPONSE))
@example(b"HTTP/1.1 200\r\n\r\n")
@example(b"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\nabc")
def test_responses_from_the_grammar(data):
    check(data, request=False)


@pytest.mark.parametrize("request_", [True, False], ids=["request", "response"])
@pytest.mark.parametrize("seed", SEEDS)
def test_damaged_heads(seed, request_):
    heads = [data for data in mutate.corpus("head").values() if data.startswith(b"HTTP/") is not request_]
    random = Random(seed)
    for _ in range(A_SEED):
        check(mutate.mutated(random, random.choice(heads), heads), request=request_)


@pytest.mark.parametrize(("name", "data"), mutate.corpus("head").items(), ids=lambda v: v if isinstance(v, str) else "")
def test_the_corpus(name, data):
    check(data, request=not name.startswith("response"))
    check(data, request=name.startswith("response"))


@pytest.mark.parametrize("request_", [True, False], ids=["request", "response"])
@pytest.mark.parametrize("size", [MAX_HEAD - 1, MAX_HEAD])
def test_the_largest_head(size, request_):
    line = b"GET / HTTP/1.1\r\nHost: a\r\nX: " if request_ else b"HTTP/1.1 200 OK\r\nX: "
    data = line.ljust(size - 4, b"x") + b"\r\n\r\n"
    compare.heads(data, request=request_)
    assert ours(data, request=request_)[1] == size
    assert all(ours(data[:-cut], request=request_)[0] is No.INCOMPLETE for cut in range(1, 9))


@pytest.mark.parametrize("request_", [True, False], ids=["request", "response"])
@pytest.mark.parametrize("count", [FIELDS - 1, FIELDS, FIELDS + 1])
def test_the_number_of_fields(count, request_):
    line = b"GET / HTTP/1.1\r\nHost: a\r\n" if request_ else b"HTTP/1.1 200 OK\r\nServer: a\r\n"
    check(line + b"X: y\r\n" * (count - 1) + b"\r\n", request=request_)


@pytest.mark.parametrize("request_", [True, False], ids=["request", "response"])
def test_the_readers_agree_on_the_usual(request_):
    line = b"POST /a HTTP/1.1\r\nHost: a" if request_ else b"HTTP/1.1 200 OK\r\nServer: a"
    data = line + b"\r\nContent-Length: 3\r\n\r\nabc"
    assert all(isinstance(read(data, request=request_), Read) for read in ORACLES.values())
    check(data, request=request_)
