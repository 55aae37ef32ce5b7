# A client's connection, in HTTP/1.
from libc.stdint cimport int64_t
from haystack._fast.connection.leg cimport DownLeg, Peer
from haystack._fast.connection.server cimport ServerConnection
from haystack._fast.http1.body cimport Body
from haystack._fast.http1.flaw cimport Flaw
from haystack._fast.http1.head cimport Head
from haystack._fast.util.buffer cimport Buffer

cdef struct Silence:        # of a client that sends no more, for half_closed.pyx
    bint watched            # stands in the worker's list of them
    int64_t since           # since when nothing went down to it; 0: it is not waiting
    int64_t written         # what had been sent then
    int asked               # how often it was tried whether it is there, since then

cdef class Http1Server(ServerConnection):
    cdef Http1ServerLeg leg
    cdef Buffer input           # read and not used yet: part of a head, early body, pipelined requests
    cdef bint unparsed          # input was not looked at yet
    cdef bint in_head           # part of a head is in input
    cdef bint keep_alive        # the connection goes on behind the message that it carries
    cdef bint torn              # its last answer is not whole
    cdef Silence silence

    cdef Http1Server handed_over(self)
    cdef bint begins_http2(self, const char *data, size_t size) noexcept
    cdef int proceed(self) except -1
    cdef int drained(self) except -1
    cdef int read_head(self) except -1
    cdef int within_limits(self, Head *h, int used, const char *data, size_t size) noexcept
    cdef int refuse_head(self, int status, Flaw flaw) except -1
    cdef int next(self) except -1
    cdef int break_off(self) except -1
    cdef int reset(self) except -1

cdef class Http1ServerLeg(DownLeg):
    cdef Http1Server connection
    # of the request
    cdef Body body
    cdef Buffer trailer
    cdef bint drop_trailer      # its Connection lists fields
    cdef int minor
    cdef bint head_only
    # of the response
    cdef int status
    cdef bint chunked
    cdef bint bare              # to this client only the end of the connection ends the body
    cdef int ahead              # bytes of the head that went down already, to see whether the client is there (half_closed.pyx)
    cdef int skipped            # the same, of a head that is written and may be taken back
    cdef int64_t head_at        # bytes given to the client before this response's head
    cdef bint tunnel            # raw bytes, both ways

    cdef int open(self, Head *h) except -1
    cdef int open_headless(self) except -1
    cdef int relay(self, const char *data, size_t size) except -1
    cdef int skip_ahead(self) noexcept
    cdef int spliced(self, size_t size) except -1
