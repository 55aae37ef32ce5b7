# A client's connection, in HTTP/2: many requests at once, each on a leg of its own.
from libc.stdint cimport int32_t, int64_t
from haystack._fast.connection.leg cimport DownLeg
from haystack._fast.connection.server cimport ServerConnection, Taking
from haystack._fast.http2.fields cimport Section
from haystack._fast.http2.flood cimport Flood
from haystack._fast.http2.nghttp2 cimport nghttp2_frame, nghttp2_session
from haystack._fast.util.buffer cimport Buffer
from haystack._fast.util.linked_list cimport Link, Ring

cdef enum Leaving:          # how far the client has been told that the connection ends (RFC 9113, section 6.8)
    STAYS = 0
    NOTICED                 # it knows; what it has sent meanwhile is served
    TOLD                    # it knows which request was the last

cdef class Http2Server(ServerConnection):
    cdef nghttp2_session *session
    cdef Section section        # that comes in
    cdef Http2ServerLeg coming  # whose section that is; None: there is none, or nobody wants it
    cdef Ring legs              # streams that are open: it has a reference to each
    cdef list noted             # legs that something has happened to
    cdef Flood flood
    cdef int waiting            # legs with bytes that the client has not taken
    cdef Leaving leaving
    cdef bint flooded
    cdef object error           # an exception in one of nghttp2's callbacks

    cdef int start(self) except -1
    cdef int on_event_again(self) except -1
    cdef int read(self) except -1
    cdef int feed(self, const char *data, size_t size) except -1
    cdef int settle(self) except -1
    cdef int pump(self) except -1
    cdef int note_state(self) except -1
    cdef int wants(self) except -1
    cdef int leave_for_good(self) except -1
    cdef int open_leg(self, int32_t number) except -1
    cdef int on_section(self, const nghttp2_frame *frame) except -1
    cdef int on_chunk(self, int32_t number, const char *data, size_t size) except -1
    cdef int on_stream_closed(self, int32_t number, unsigned int code) except -1
    cdef int count_frame(self, const nghttp2_frame *frame) except -1

cdef class Http2ServerLeg(DownLeg):
    cdef Http2Server connection
    cdef Link link              # among those of its connection
    cdef int32_t number         # of its stream
    # of the request
    cdef Buffer head            # as HTTP/1 has it, until it has been handed on
    cdef Buffer input           # of the body: came, and was not used yet
    cdef Buffer trailer
    cdef int refusal            # the status that refuses its head; 0: none
    cdef bint fresh             # its head is there, and was not handed on
    cdef bint noted             # stands in its connection's list of those
    cdef bint ended             # it has come whole
    cdef bint done              # and all of it was told of
    cdef bint connects          # it asks for a WebSocket, and what follows are raw bytes
    cdef bint head_only
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

    cdef int open(self) except -1
    cdef int attend(self) except -1
    cdef int retire(self) except -1
    cdef int end_body(self) except -1
    cdef int forget_written(self) except -1
    cdef int note(self) except -1
    cdef int consumed(self, size_t size) except -1
    cdef int submit(self) except -1
    cdef int reset_stream(self, unsigned int code) except -1
    cdef int keep_out(self, const char *data, size_t size) except -1
    cdef int forget_out(self) except -1

cdef int take_over(ServerConnection before, const char *data, size_t size) except -1
