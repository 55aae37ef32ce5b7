# A request that comes on a client's HTTP/1 connection, and its response.
from libc.stdint cimport int64_t
from haystack._fast.connection.leg cimport DownLeg
from haystack._fast.connection.server cimport ServerConnection
from haystack._fast.http1.body cimport Body
from haystack._fast.http1.head cimport Head
from haystack._fast.util.buffer cimport Buffer

cdef class Http1Connection(ServerConnection):
    cdef Buffer input           # read and not used yet: part of a head, early body, pipelined requests
    cdef bint unparsed          # input was not looked at yet
    cdef bint keep_alive        # the connection goes on behind the message that it carries
    cdef bint torn              # its last answer is not whole

    cdef int next(self) except -1
    cdef int reset(self) except -1

cdef class Http1ServerLeg(DownLeg):
    cdef Http1Connection connection
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
