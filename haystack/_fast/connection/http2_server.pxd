# A client's connection, in HTTP/2: many requests at once, each on a leg of its own.
from libc.stdint cimport int32_t
from haystack._fast.connection.http2_leg cimport Http2ServerLeg, Streams
from haystack._fast.connection.server cimport ServerConnection
from haystack._fast.http2.fields cimport Section
from haystack._fast.http2.nghttp2 cimport nghttp2_frame
from haystack._fast.util.linked_list cimport Ring

cdef enum Leaving:          # how far the client has been told that the connection ends (RFC 9113, section 6.8)
    STAYS = 0
    NOTICED                 # it knows; what it has sent meanwhile is served
    TOLD                    # it knows which request was the last

cdef class Http2Server(Streams):
    cdef Section section        # that comes in
    cdef Http2ServerLeg coming  # whose section that is; None: there is none, or nobody wants it
    cdef Ring legs              # streams that are open: it has a reference to each
    cdef Leaving leaving
    cdef int32_t newest         # the highest number of a stream that was opened
    cdef bint flooded
    cdef bint dismissed         # and was told so

    cdef int start(self) except -1
    cdef int read(self) except -1
    cdef int feed(self, const char *data, size_t size) except -1
    cdef int settle(self) except -1
    cdef int pump(self) except -1
    cdef int note_state(self) except -1
    cdef void end_session(self) noexcept
    cdef int leave_for_good(self) except -1
    cdef int end_trailing(self) except -1
    cdef int open_leg(self, int32_t number) except -1
    cdef int on_section(self, const nghttp2_frame *frame) except -1
    cdef int on_chunk(self, int32_t number, const char *data, size_t size) except -1
    cdef int on_stream_closed(self, int32_t number, unsigned int code) except -1
    cdef void charge(self, int cost) noexcept
    cdef int count_frame(self, const nghttp2_frame *frame) except -1

cdef int take_over(ServerConnection before, const char *data, size_t size) except -1
