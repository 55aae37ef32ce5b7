# A request that comes on a stream of HTTP/2, and its response.
from libc.stdint cimport int32_t, int64_t
from haystack._fast.connection.leg cimport DownLeg
from haystack._fast.connection.server cimport ServerConnection, Taking
from haystack._fast.http2.flood cimport Flood
from haystack._fast.http2.nghttp2 cimport nghttp2_session
from haystack._fast.http2.session_memory cimport SessionMemory
from haystack._fast.util.buffer cimport Buffer
from haystack._fast.util.linked_list cimport Link

cdef enum:
    LAST_CHUNK = 3          # bytes before the trailer section, as HTTP/1 has it,
    EMPTY_TAIL = 5          # and of one without a field

cdef struct Bodies:         # of requests on one connection
    int64_t held            # bytes of memory
    int64_t freed           # when the connection's window was last opened that had been full: milliseconds; 0: never

cdef class Streams(ServerConnection):
    cdef nghttp2_session *session
    cdef SessionMemory memory   # what that has; before it is used, `rouse`
    cdef list noted             # legs that something has happened to
    cdef Flood flood
    cdef int waiting            # legs with bytes that the client has not taken, or without their end
    cdef Link sending           # among those that hold bytes of bodies of requests
    cdef Bodies bodies
    cdef int trailing           # legs that are answered, and of whose request nothing is missing but the end
    cdef object error           # an exception in one of nghttp2's callbacks

    cdef int wants(self) except -1
    cdef int hold(self, int64_t size) noexcept
    cdef void open_window(self) noexcept

cdef struct Arriving:       # a request
    int64_t missing         # bytes of the body, by its length; -1: nobody knows
    bint trails             # it counts in `trailing`
    bint ending             # nobody has anything to do with it, but the response's end has not gone: it counts in `waiting`
    int64_t handed          # bytes of the body that went on
    int64_t moved           # when some did, or came while none waited: milliseconds
    int64_t held            # bytes of memory that it is counted with
    int refusal             # the status that refuses its head, or its trailer section; 0: none
    bint crowded            # its head has too many fields

cdef class Http2ServerLeg(DownLeg):
    cdef Streams connection
    cdef Link link              # among those of its connection
    cdef int32_t number         # of its stream
    # of the request
    cdef Buffer head            # as HTTP/1 has it, until it has been handed on
    cdef Buffer input           # of the body: came, and was not used yet
    cdef Buffer trailer
    cdef Arriving arriving
    cdef bint fresh             # its head is there, and was not handed on
    cdef bint noted             # stands in its connection's list of those
    cdef bint ended             # it has come whole
    cdef bint done              # and all of it was told of
    cdef bint connects          # it asks for a WebSocket, and what follows are raw bytes
    cdef bint head_only
    cdef bint tunnel            # raw bytes, both ways
    # of the response
    cdef Buffer out             # of the body: not taken by the client
    cdef Buffer tail            # its trailer section
    cdef Taking taking
    cdef int status
    cdef bint written           # its head stands in work, and was not submitted yet
    cdef bint submitted
    cdef bint finished          # nothing follows what is in `out`
    cdef bint torn              # though it should
    cdef bint drained           # `out` has become empty, and its user is to hear that
    cdef bint closed            # the stream is

    cdef bint is_slow(self, int64_t passed) noexcept
    cdef int open(self) except -1
    cdef int attend(self) except -1
    cdef int retire(self) except -1
    cdef int end_body(self) except -1
    cdef int forget_written(self) except -1
    cdef void ended_down(self) noexcept
    cdef int note(self) except -1
    cdef int consumed(self, size_t size) except -1
    cdef int went_on(self, size_t size) except -1
    cdef int count_held(self) noexcept
    cdef int drop_body(self) except -1
    cdef int submit(self) except -1
    cdef int reset_stream(self, unsigned int code) except -1
    cdef int keep_out(self, const char *data, size_t size) except -1
    cdef int forget_out(self) except -1

cdef Http2ServerLeg spare_leg()
