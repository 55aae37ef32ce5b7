"""Each file of the corpora through its target, once: what fuzzing has found stays found, without a fuzzer."""

from __future__ import annotations

import gc

import pytest

from tests.fuzz import fuzz_body, fuzz_dns, fuzz_exchange, fuzz_head, fuzz_hello, fuzz_http2, fuzz_http2_up, fuzz_upstream, mutate, script

TARGETS = {
    "head": fuzz_head.one, "body": fuzz_body.one, "exchange": fuzz_exchange.one, "http2": fuzz_http2.one,
    "http2_up": fuzz_http2_up.one, "dns": fuzz_dns.one, "upstream": fuzz_upstream.one, "hello": fuzz_hello.one,
}  # fmt: skip
CASES = [(name, file, data) for name in TARGETS for file, data in mutate.corpus(name).items()]


@pytest.fixture(scope="module", autouse=True)
def _nothing_left():
    """What other tests in this process have let go of is no leak of a target (in the debug build, which counts)."""
    gc.unfreeze()
    gc.collect()


@pytest.mark.parametrize(("name", "data"), [(n, d) for n, _, d in CASES], ids=[f"{n}/{f}" for n, f, _ in CASES])
def test_the_corpus(name, data):
    TARGETS[name](data)


def test_any_bytes_are_a_script():
    for data in (b"", b"\0", b"\xff\xff\xff\xff", bytes(range(256))):
        fuzz_exchange.one(data)
        assert script.read(script.written(script.read(data))) == script.read(data)
