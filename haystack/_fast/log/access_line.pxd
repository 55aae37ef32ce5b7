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
    Text protocol               # how the endpoint that was tried last is spoken to
    Text trace_id
    Text subject                # UTF-8: of the client's certificate
    Text service, endpoint      # UTF-8
    Text candidates             # UTF-8, a NUL behind each
    int version                 # of HTTP, that the client speaks, in tenths: 10, 11, 20
    bint reused
    int64_t status
    int64_t received, sent      # bytes of the bodies
    int64_t route_ns, connect_ns, first_ns, total_ns    # -1: never reached

cdef enum:
    CLOCK_ROOM = 24             # DD/Mon/YYYY:HH:MM:SS has 20

cdef enum Kind:                 # of a field: how it is written
    LATIN                       # a Text of Latin-1
    UTF8                        # a Text of UTF-8
    HOST                        # a Text with a port behind it, perhaps
    LIST                        # a Text whose parts have a NUL behind each
    NUMBER                      # an int64_t
    VERSION                     # an int, behind `1.`
    FLAG                        # a bint
    CLOCK                       # an int64_t, microseconds of Unix time
    PHASE                       # an int64_t, nanoseconds, -1: never reached
    WORKER                      # the same in each line
    LISTENER                    # its index

cdef enum:
    COLUMNS = 32                # fields that a line can have
    LABEL = 32                  # bytes of the longest label

cdef struct Column:             # a field of a line in JSON
    char label[LABEL]           # a comma, the name and a colon; of a string its quote too
    size_t label_size
    Kind kind
    size_t at                   # where its value begins in an Entry

cdef class Log:
    cdef bint plain             # the common log format; else JSON
    cdef bint combined          # with referrer and user agent behind it
    cdef bint ecs               # with the names of the Elastic Common Schema, and without what is empty
    cdef int worker
    cdef list listeners         # names, by their index
    cdef Column columns[COLUMNS]
    cdef int width              # columns that are in use
    cdef size_t fixed           # the most that a line has beside texts
    cdef Buffer lines
    cdef int64_t count, dropped
    cdef int64_t second         # of Unix time, for which clock holds the text
    cdef char clock[CLOCK_ROOM]     # as the format has it
    cdef int clock_size

    cdef int write(self, const Entry *entry) except -1
    cdef char *write_common(self, char *out, const Entry *entry) except NULL
    cdef int choose(self, object names) except -1
    cdef char *write_json(self, char *out, const Entry *entry) except NULL
    cdef char *write_field(self, char *out, const Column *column, const Entry *entry) except NULL
    cdef char *write_rest(self, char *out, Kind kind, const Entry *entry) except NULL
    cdef char *put_clock(self, char *out, int64_t second) noexcept
