"""Which format of /metrics a client gets, and how a compressed one is made."""

import gzip
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from haystack.loop.turns import at_once
from haystack.views import compressed
from haystack.views.compressed import Gzip
from haystack.views.exposition import OPENMETRICS, TEXT, Family, form_of, takes_gzip

PROMETHEUS_2 = (
    "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
)
PROMETHEUS_3 = (
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,application/openmetrics-text;version=0.0.1;q=0.5,"
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,text/plain;version=0.0.4;q=0.3,*/*;q=0.2"
)
NATIVE = f"application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.9,{PROMETHEUS_3}"


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (PROMETHEUS_2, OPENMETRICS),
        (PROMETHEUS_3, OPENMETRICS),
        (NATIVE, OPENMETRICS),
        ("application/openmetrics-text", OPENMETRICS),
        ("APPLICATION/OpenMetrics-Text; Version=1.0.0", OPENMETRICS),
        ("text/plain;q=0.9, application/openmetrics-text;q=0.5", TEXT),
        ("application/openmetrics-text;version=2.0.0, text/plain;q=0.2", TEXT),
        ("application/openmetrics-text;q=0", TEXT),
        ("application/openmetrics-text;q=x", TEXT),
        ("text/html,application/xhtml+xml,*/*;q=0.8", TEXT),
        ("text/plain", TEXT),
        ("*/*", TEXT),
        ("", TEXT),
        (";q=;,,=", TEXT),
    ],
)
def test_the_format_is_the_one_that_the_client_wants_most(accept, form):
    assert form_of(accept) == form


@pytest.mark.parametrize(
    ("field", "takes"),
    [
        ("gzip", True),
        ("deflate, gzip;q=1.0, *;q=0.5", True),
        ("*", True),
        ("gzip;q=0", False),
        ("gzip;q=0, *", False),
        ("br", False),
        ("", False),
    ],
)
def test_only_who_takes_gzip_gets_it(field, takes):
    assert takes_gzip(field) is takes


def test_a_counter_s_family_has_no_total_in_openmetrics():
    family = Family("haystack_x_total", "counter", "X.")
    assert family.head(OPENMETRICS) == b"# HELP haystack_x X.\n# TYPE haystack_x counter\n"
    assert family.head(TEXT) == b"# HELP haystack_x_total X.\n# TYPE haystack_x_total counter\n"
    assert b"haystack_total " in Family("haystack_total", "gauge", "X.").head(OPENMETRICS)


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_a_compressed_body_is_one_gzip_member_of_the_same_bytes(pieces):
    body = b"".join(at_once(Gzip().of(pieces)))
    assert gzip.decompress(body) == b"".join(pieces)
    one = zlib.decompressobj(zlib.MAX_WBITS | 16)
    assert one.decompress(body) == b"".join(pieces)
    assert (one.eof, one.unused_data) == (True, b"")


def test_only_what_is_new_is_compressed(monkeypatch):
    squeezed = []
    real = compressed.deflated
    monkeypatch.setattr(compressed, "deflated", lambda piece: squeezed.append(piece) or real(piece))
    made, pieces = Gzip(), [bytes([n]) * 100 for n in range(5)]
    at_once(made.of(pieces))
    squeezed.clear()
    pieces[2] = b"new"
    assert gzip.decompress(b"".join(at_once(made.of(pieces)))) == b"".join(pieces)
    assert squeezed == [b"new"]


def test_long_bodies_go_out_in_large_parts():
    pieces = [b"x" * 1000] * 1000
    parts = at_once(compressed.chunks(pieces))
    assert b"".join(parts) == b"".join(pieces)
    assert len(parts) <= 1 + len(pieces) * 1000 // compressed.CHUNK
    assert at_once(compressed.chunks([])) == []
