"""Blocks of PEM, also in files that were made to be slow to read."""

import time

from haystack.tls.pem import blocks

ONE = b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"
KEY = b"-----BEGIN EC PRIVATE KEY-----\r\nMHcC\r\n-----END EC PRIVATE KEY-----"


def labels(pem):
    return [label.decode() for label, _ in blocks(pem)]


def test_each_block_is_found_with_its_label_and_nothing_of_the_text_between():
    assert list(blocks(b"subject=x\n" + ONE + b"issuer=y\n" + KEY)) == [(b"CERTIFICATE", ONE), (b"EC PRIVATE KEY", KEY + b"\n")]


def test_what_has_no_end_or_more_on_its_line_is_none():
    assert labels(b"-----BEGIN CERTIFICATE-----\nMIIB\n" + ONE) == ["CERTIFICATE"]
    assert labels(ONE.replace(b"END CERTIFICATE-----", b"END CERTIFICATE-----x") + KEY) == ["EC PRIVATE KEY"]
    assert labels(b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END PUBLIC KEY-----\n") == []
    assert labels(b"-----BEGIN -----\n-----END -----\n-----BEGIN ") == []
    assert labels(ONE.replace(b"\n", b" \t\n")) == ["CERTIFICATE"]


def test_four_megabytes_of_beginnings_are_read_at_once():
    """A regular expression took 10 s for 180 KB: it looked for the end of each."""
    begun = time.process_time()
    assert labels(b"-----BEGIN A-----\n" * 230_000) == []
    assert labels(b"-----BEGIN " * 380_000) == []
    assert time.process_time() - begun < 20
