# A client's connection, and the exchange it is in.
from libc.stdint cimport int64_t, uint64_t
from haystack._fast.exchange.upload cimport Upload
from haystack._fast.http1.flaw cimport Flaw
from haystack._fast.http1.head cimport Head
from haystack._fast.http1.serialize cimport Client

cdef class Downstream(Upload):
    cdef int own_rights         # of the address that it has: a trusted proxy's requests have those of the clients that it names
    cdef bint trusted
    cdef uint64_t origin        # what stands for its address where connections of one are limited; 0: not counted
    cdef bint in_head           # part of a head is in input
    cdef bint torn              # its last answer is not whole
    cdef int64_t end_by         # when a connection that is being ended is closed, whatever the client does; 0: it is not
    # of a client that sends no more, for half_closed.pyx
    cdef bint watched           # stands in the plane's list of them
    cdef int64_t quiet_since    # since when nothing went down to it; 0: it is not waiting
    cdef int64_t quiet_at       # what `written` was then
    cdef int asked              # how often it was tried whether it is there, since then

    cdef bint is_at_rest(self) noexcept
    cdef int rest(self) noexcept
    cdef int proceed(self) except -1
    cdef int drained(self) except -1
    cdef int read_head(self) except -1
    cdef int within_limits(self, Head *h, int used, const char *data, size_t size) noexcept
    cdef int refuse_head(self, int status, Flaw flaw) except -1
    cdef int begin_exchange(self, Head *h) except -1
    cdef int identify(self, Head *h, Client *client) except -1
    cdef bint is_health(self, Head *h) noexcept
    cdef int lead_nowhere(self) except -1
    cdef int reset(self, Head *h) except -1
    cdef int begin_headless(self) except -1
    cdef int refuse(self, Head *h, int status, bytes detail) except -1
    cdef int find_route(self, Head *h, bint *absolute) except -1
    cdef int answer_last(self, Head *h, int64_t forwards) except -1
    cdef int answer(self, int status, const char *error, bytes detail) except -1
    cdef int say(self, int status, const char *error, bytes detail) except -1
    cdef int finish(self) except -1
    cdef int drop_input(self) except -1
    cdef int end(self) except -1
    cdef int tear(self) except -1
