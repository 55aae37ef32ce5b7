"""Calls of gRPC's, in what they differ from other requests: both sides may be silent for long, and an error can follow what has gone down.

A call may be a stream either way, and nothing in its head tells whether it is one. Whoever has news to tell sends a message now and then.
"""
from libc.stdint cimport int64_t

from haystack._fast.connection.leg cimport DownLeg
from haystack._fast.endpoint.endpoint cimport Protocol
from haystack._fast.exchange.states cimport State
from haystack._fast.http1.local_reply cimport call_status
from haystack._fast.util.buffer cimport Buffer, add, release
from haystack._fast.util.scan cimport same_any

cdef enum:
    TYPE_SIZE = 16          # bytes of application/grpc


cdef bint is_call(Head *h) noexcept:
    """By its Content-Type (PROTOCOL-HTTP2, Requests)."""
    cdef int i, size
    for i in range(h.count):
        if h.fields[i].name_size == 12 and same_any(h.fields[i].name, b"content-type", 12):
            size = h.fields[i].value_size
            return size >= TYPE_SIZE and same_any(h.fields[i].value, b"application/grpc", TYPE_SIZE) and (
                size == TYPE_SIZE or h.fields[i].value[TYPE_SIZE] in (c'+', c';', c' '))
    return False


cdef bint is_stream(Exchange x) noexcept:
    """Whether it may be one: nobody can be hurried in it. Only who speaks HTTP/2 serves such calls."""
    return x.request.call and x.member is not None and (
        x.member.endpoint.protocol == Protocol.H2C or x.member.endpoint.protocol == Protocol.H2)


cdef int64_t silence(Exchange x) noexcept:
    """Milliseconds for which an endpoint may say nothing: as in a tunnel while the client may send more, or once the answer has begun."""
    if is_stream(x) and (x.state >= State.RESPOND or not x.down.body_done()):
        return max(x.route.timeout_ms, x.worker.limits.tunnel_ms)
    return x.route.timeout_ms


cdef bint has_status(Exchange x) noexcept:
    """Whether a status can follow what has gone down of an answer: it is a call, and HTTP/2's framing shows that trailers are its end."""
    return x.request.call and x.down.version() == 2


cdef int end_with_status(Exchange x, int status, const char *error, bytes detail) except -1:
    """End an answer that has begun with a status of gRPC's, where others are broken off."""
    cdef Buffer trailer = Buffer(NULL, 0, 0, 0)
    cdef DownLeg down
    cdef bytes said = call_status(status, bytes(error), detail, b"") + b"\r\n"
    x.detach(False)
    x.worker.exchanges += 1
    x.worker.statuses[min(x.record.status // 100, 5)] += 1
    try:
        add(&trailer, said, len(said))
        x.down.end(&trailer, False)
    finally:
        release(&trailer)
    down = x.end()
    return down.finish()
