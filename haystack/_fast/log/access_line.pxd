# The access log's lines: what one tells of its exchange, and the buffer in which a worker gathers them.
from libc.stdint cimport int64_t
from haystack._fast.util.buffer cimport Buffer

cdef struct Text:
    const char *data
    int size

cdef struct Entry:
    int64_t at_us               # microseconds of Unix time at the exchange's end
    int listener                # its index
    # as they came: one character a byte
    Text client, method, host, target, identity, referrer, agent, error, detail
    Text service, endpoint      # UTF-8
    Text candidates             # UTF-8, a NUL behind each
    int minor                   # of the request's HTTP version
    bint reused
    int status
    int64_t received, sent      # bytes of the bodies
    int64_t route_ns, connect_ns, first_ns, total_ns    # -1: never reached

cdef class Log:
    cdef bint plain             # the common log format; else JSON
    cdef bint combined          # with referrer and user agent behind it
    cdef list places            # worker and listener as JSON has them, by the listener's index
    cdef Buffer lines
    cdef int64_t count, dropped
    cdef int64_t day            # for which date holds the text
    cdef char date[24]          # as the format has it
    cdef int date_size

    cdef int write(self, const Entry *entry) except -1
    cdef char *write_common(self, char *out, const Entry *entry) except NULL
    cdef char *write_json(self, char *out, const Entry *entry) except NULL
    cdef char *put_clock(self, char *out, int64_t second) noexcept
