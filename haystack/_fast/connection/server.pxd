# A client's connection, whatever it speaks: what the worker's lists of clients know of it.
from libc.stdint cimport int64_t
from haystack._fast.connection.leg cimport Handler, LegUser, Peer
from haystack._fast.net.transport cimport Connection
from haystack._fast.worker.worker_state cimport WorkerState

cdef struct Taking:         # of a client that bytes wait for, for slow_readers.pyx
    int64_t stalled         # milliseconds for which they have waited, and
    int64_t taken           # bytes that it had taken, when its rate was judged last

cdef class ServerConnection(Connection):
    cdef WorkerState worker
    cdef Handler handler
    cdef Peer peer
    cdef Taking taking
    cdef int64_t end_by         # when a connection that is being ended is closed, whatever the client does; 0: it is not
    cdef int64_t dropped        # bytes that came since

    cdef bint is_at_rest(self) noexcept
    cdef int rest(self) noexcept
    cdef int drain(self) except -1
    cdef bint carries(self, LegUser user) noexcept
    cdef bint is_excused(self) noexcept
    cdef int judge(self, int64_t passed) except -1
    cdef int drop_uploads(self, LegUser keep) except -1
    cdef int make_room(self) except -1
    cdef int cut_off(self, const char *error) except -1
