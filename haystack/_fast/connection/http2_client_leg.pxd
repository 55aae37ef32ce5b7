# A stream to an endpoint: a request on its way, and the response as it comes.
from libc.stdint cimport int32_t, int64_t, uint32_t
from haystack._fast.connection.http2_client cimport Http2Client
from haystack._fast.connection.leg cimport UpLeg
from haystack._fast.endpoint.endpoint cimport Endpoint
from haystack._fast.http1.body cimport Framing
from haystack._fast.http1.head cimport Head
from haystack._fast.util.buffer cimport Buffer
from haystack._fast.util.linked_list cimport Link
from haystack._fast.worker.worker_state cimport WorkerState

cdef enum Fate:             # how a stream ended that is not whole
    NO_FATE = 0
    RESET                   # by the endpoint, with `code`
    REFUSED                 # it was not processed (RFC 9113, section 8.7)
    MALFORMED               # what came is no response (section 8.1.1)
    LARGE                   # its head, or its trailer section, is too large
    UNSENT                  # the request's head is larger than the endpoint takes
    LOST                    # the connection broke
    LOST_CLEANLY            # it was closed

cdef struct Sending:        # of a request
    Buffer output           # of its body, what was not put into frames yet
    size_t fresh            # bytes of that which were not flushed yet
    Buffer ending           # its trailer section, as lines of HTTP/1
    bint finished           # its body is whole
    bint deferred           # nghttp2 waits for more of the body
    int64_t head_at         # bytes given to the transport before its head; -1: it was not put into a frame yet
    int64_t moved, looked   # bytes of its body that were; and how many when that was looked at last

cdef struct Incoming:       # of a response
    Buffer heads           # interim ones and the last one, as HTTP/1 has them
    Buffer input           # of its body, what did not go on yet
    Buffer trailer
    bint final             # the head that is coming is no interim one
    bint bare              # its head was its end
    bint lasting           # it is held on though nothing has come for a while,
    size_t had             # and so many bytes of its body had come by then

cdef class Http2ClientLeg(UpLeg):
    cdef WorkerState worker
    cdef Endpoint endpoint
    cdef Http2Client connection  # None: it waits for one
    cdef Link place             # among those of its connection, or those that wait
    cdef Link touch             # in its connection's `touched`
    cdef Link room              # in its connection's `drained`
    cdef int32_t stream         # 0: it has none yet
    cdef int64_t deadline       # milliseconds; 0: none
    cdef Sending request
    cdef bint late              # it has waited for an answer for long
    cdef Incoming response
    cdef bint headed            # its last head is there
    cdef bint ended             # all of it is there
    cdef bint closed            # the stream is gone
    cdef bint started           # its head went on
    cdef bint held              # its body is waited for, with all of it in `input`
    cdef bint hurried           # no longer
    cdef Fate fate
    cdef uint32_t code          # RFC 9113, section 7
    cdef Framing framing
    cdef int64_t left           # bytes of the body that have still to go on, where its length is known

    cdef int on_deadline(self) except -1
    cdef int hesitate(self) except -1
    cdef int overdue(self) except -1
    cdef int doubt(self) except -1
    cdef int answered(self) noexcept
    cdef int settle(self) except -1
    cdef bint read_heads(self) except -1
    cdef bint begin_response(self, Head *h) except -1
    cdef bint holds(self, Head *h) noexcept
    cdef bint has_to_wait(self, bint pressed) noexcept
    cdef bint relay(self, bint first) except -1
    cdef int went_on(self, size_t size) except -1
    cdef int finish(self) except -1
    cdef int broken(self) except -1
    cdef int lose(self, Fate fate) except -1
    cdef int give_up(self, Fate fate) except -1
    cdef int reset(self) except -1
    cdef int failed(self, object error) except -1
