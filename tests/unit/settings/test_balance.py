"""The word of haystack.balance: what it takes, in one form."""

import pytest

from haystack.settings import balance


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ("p2c", "p2c"),
        (" RoundRobin ", "roundrobin"),
        ("hash", "hash"),
        ("Hash:Path", "hash:path"),
        ("hash:header:X-User", "hash:header:x-user"),
        ("HASH:Cookie:SessionId", "hash:cookie:SessionId"),
    ],
)
def test_an_algorithm_is_read_in_any_case_and_names_keep_what_matters(text, word):
    assert balance.read(text) == balance.read(word) == word


BAD = ["", "luck", "hash:", "hash:query", "hash:path:x", "p2c:path", "hash:header", "hash:header:", "hash:header:a b"]
BAD_NAMES = ["hash:header:\xe9", "hash:header:" + "x" * 65, "hash:cookie:", "hash:cookie:a;b"]


@pytest.mark.parametrize("text", [*BAD, *BAD_NAMES])
def test_what_is_no_algorithm_is_refused(text):
    with pytest.raises(ValueError, match="no such algorithm"):
        balance.read(text)


def test_what_it_takes_is_said_in_full():
    assert balance.TAKES == "one of p2c, random, roundrobin, leastconn, ewma, hash, hash:path, hash:header:NAME, hash:cookie:NAME"
