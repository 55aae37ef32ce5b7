"""gRPC calls, where they differ from other requests: both sides may be silent for long, and an error may end a response that has begun.

Any call may be a stream in one or both directions: its head does not tell.
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
    """Whether it is a gRPC call, by its Content-Type (gRPC's PROTOCOL-HTTP2, Requests)."""
    cdef int i, size
    for i in range(h.count):
        if h.fields[i].name_size == 12 and same_any(h.fields[i].name, b"content-type", 12):
            size = h.fields[i].value_size
            return size >= TYPE_SIZE and same_any(h.fields[i].value, b"application/grpc", TYPE_SIZE) and (
                size == TYPE_SIZE or h.fields[i].value[TYPE_SIZE] in (c'+', c';', c' '))
    return False


cdef bint is_stream(Exchange x) noexcept:
    """Whether it may be a stream: then no least rate holds for its body. Only endpoints that speak HTTP/2 serve gRPC."""
    return x.request.call and x.member is not None and (
        x.member.endpoint.protocol == Protocol.H2C or x.member.endpoint.protocol == Protocol.H2)


cdef int64_t silence(Exchange x) noexcept:
    """Milliseconds without a byte after which the endpoint has failed: as in a tunnel while a stream goes on."""
    if is_stream(x) and (x.state >= State.RESPOND or not x.down.body_done()):
        return max(x.route.timeout_ms, x.worker.limits.tunnel_ms)
    return x.route.timeout_ms


cdef bint has_status(Exchange x) noexcept:
    """Whether a response that has begun can end with a gRPC status: a call over HTTP/2, where trailers may come at any time."""
    return x.request.call and x.down.version() == 2


cdef int end_with_status(Exchange x, int status, const char *error, bytes detail) except -1:
    """End a response that has begun with a gRPC status in its trailers, where other responses are broken off."""
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
