"""Heads to compare readers on: made from the grammar with odd parts among the usual ones, then damaged."""

from __future__ import annotations

from hypothesis import strategies as st

TOKEN = st.text("abcXYZ019!#$%&'*+-.^_`|~", min_size=1, max_size=12).map(str.encode)
METHOD = st.sampled_from([b"GET", b"POST", b"HEAD", b"PUT", b"OPTIONS", b"PATCH", b"CONNECT"])
TARGET = st.one_of(
    st.sampled_from([b"/", b"*", b"a:1", b"http://a/b?c", b"/%00", b"//", b"/a#b"]),
    st.text("abc/?&=%20.;:@~[]", max_size=20).map(lambda t: b"/" + t.encode()),
)
VERSION = st.sampled_from([b"HTTP/1.1"] * 6 + [b"HTTP/1.0", b"HTTP/1.2", b"HTTP/2.0", b"http/1.1", b"HTTP/1.10", b"HTTP/1,1"])
SPACE = st.sampled_from([b" "] * 6 + [b"", b"  ", b"\t", b" \t "])
USUAL_VALUE = st.text("abc 019,;=\t\"'()/", max_size=20).map(str.encode)
VALUE = st.one_of(USUAL_VALUE, USUAL_VALUE, USUAL_VALUE, st.binary(max_size=6))
FRAMING = st.sampled_from(
    [
        b"Content-Length: 3",
        b"content-length:0",
        b"Content-Length: 3, 3",
        b"Content-Length: +3",
        b"Content-Length: 3 ",
        b"Content-Length:\t3",
        b"Content-Length: 0x3",
        b"Content-Length: 3_0",
        b"Content-Length: ",
        b"Content-Length : 3",
        b"Content-Length: 99999999999999999999",
        b"Transfer-Encoding: chunked",
        b"transfer-encoding:CHUNKED",
        b"Transfer-Encoding: chunked, chunked",
        b"Transfer-Encoding: identity",
        b"Transfer-Encoding: , chunked ,",
        b"Transfer-Encoding:",
        b"Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
        b"Content-Length: 0000000000000000000003",
        b"Transfer-Encoding: gzip, chunked",
        b"Transfer-Encoding: xchunked",
        b"Transfer-Encoding:\x0bchunked",
        b"Transfer-Encoding : chunked",
        b"Transfer_Encoding: chunked",
        b"Connection: close",
        b"Connection: keep-alive, Content-Length",
        b"Connection: upgrade\r\nUpgrade: x",
        b"Expect: 100-continue",
        b"X: a\r\n b",
    ]
)
FIELD = st.one_of(
    st.builds(lambda n, s, v: n + b":" + s + v, TOKEN, SPACE, VALUE),
    FRAMING,
    st.sampled_from([b"Host: a", b"Host: b:80", b"host:", b"Host: a, b"]),
)
END = st.sampled_from([b"\r\n"] * 15 + [b"\n", b"\r", b"\r\r\n", b"\n\r\n"])


def joined(line, fields, ends):
    lines = [line, *fields, b""]
    return b"".join(text + ends[n % len(ends)] for n, text in enumerate(lines))


ENDS = st.one_of(st.just([b"\r\n"]), st.just([b"\r\n"]), st.lists(END, min_size=1, max_size=7))
REQUEST_LINE = st.builds(lambda m, a, t, b, v: m + a + t + b + v, st.one_of(METHOD, METHOD, TOKEN), SPACE, TARGET, SPACE, VERSION)
USUAL_LINE = st.builds(lambda m, t: m + b" " + t + b" HTTP/1.1", METHOD, TARGET)
HOSTED = st.lists(FIELD, max_size=5).map(lambda fields: [b"Host: a", *fields])
STATUS = st.sampled_from([b"200", b"204", b"304", b"100", b"103", b"500", b"999", b"099", b"20", b"2000", b"2x0"])
REASON = st.one_of(st.sampled_from([b" OK", b"", b" ", b" Not Found", b" \xff", b" O\rK"]), VALUE.map(lambda v: b" " + v))
STATUS_LINE = st.builds(lambda v, s, r: v + b" " + s + r, VERSION, STATUS, REASON)

REQUEST = st.one_of(
    st.builds(joined, USUAL_LINE, HOSTED, ENDS),
    st.builds(joined, REQUEST_LINE, st.one_of(HOSTED, st.lists(FIELD, max_size=4)), ENDS),
)
RESPONSE = st.builds(joined, st.one_of(st.just(b"HTTP/1.1 200 OK"), STATUS_LINE), st.lists(FIELD, max_size=5), ENDS)


@st.composite
def mutated(draw, heads):
    """A head with a few of its bytes changed, dropped, doubled or swapped."""
    data = bytearray(draw(heads))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(data) - 1)) if data else 0
        deed = draw(st.sampled_from(["change", "drop", "insert", "double"]))
        odd = draw(st.one_of(st.sampled_from(b"\0\t\n\r :,;\x0b\x0c\x7f\x80\xff"), st.integers(0, 255)))
        match deed:
            case "change" if data:
                data[at] = odd
            case "drop" if data:
                del data[at]
            case "double":
                data[at:at] = data[at : at + 8]
            case _:
                data.insert(at, odd)
    return bytes(data)
