# What all exchanges of one worker share: rules, limits, scratch memory and counters.
from libc.stdint cimport int64_t
from haystack._fast.endpoint.endpoint cimport Member, Route
from haystack._fast.endpoint.fault_reports cimport FaultReports
from haystack._fast.endpoint.traffic cimport Traffic
from haystack._fast.http1.head cimport Head
from haystack._fast.http1.serialize cimport Client
from haystack._fast.log.access_line cimport Log
from haystack._fast.net.networks cimport Networks
from haystack._fast.net.poller cimport Poller
from haystack._fast.net.tls_server cimport TlsServer
from haystack._fast.routing.router cimport Router
from haystack._fast.util.buffer cimport Buffer
from haystack._fast.util.linked_list cimport Ring
from haystack._fast.worker.clients cimport Clients
from haystack._fast.worker.limits cimport Limits
from haystack._fast.worker.traces cimport Traces

cdef enum:
    SCRATCH = 131072

cdef struct Beginning:      # of a request, while its head stands where it was read
    Head *head              # NULL: none begins
    Client *client          # whose it is, once that is known
    void *exchange          # that it is for

cdef class WorkerState:
    cdef readonly Poller poller
    cdef readonly Limits limits
    cdef readonly Clients clients
    cdef readonly Traces traces
    cdef readonly list ports            # of the listeners, by their index
    cdef Router router
    cdef int apart              # index of the listener that has the web side alone; -1: there is none
    cdef Router own             # its rules
    cdef char *scratch                  # what was just read; valid until the next read
    cdef Beginning beginning
    cdef Buffer work                    # what is about to be sent; empty between events
    cdef readonly bint draining
    cdef public bint early              # nothing was ever listed: a name that is not known may well be somebody's
    cdef public Networks networks       # what a client's address is good for
    cdef FaultReports reports           # for the control process
    cdef readonly Traffic traffic       # also
    cdef list late                      # (member, route) where exchanges wait for an answer for long, for outliers.pyx
    cdef public Log log                 # a line of every exchange goes here; None: there is no access log
    cdef public TlsServer tls           # None: there is no https listener
    cdef dict errors                    # (word, status) → exchanges that ended so, and were not reported yet
    cdef readonly int64_t exchanges
    cdef int64_t statuses[6]
    cdef readonly int64_t endpoints     # connections to endpoints that are open, pooled ones too
    cdef Ring resting                   # of these the pooled ones, by when they came to rest
    cdef Ring spares                    # exchanges that have ended, for new requests: it has a reference to each

    cdef Route find(self, int listener, const char *host, int host_size, const char *path, int path_size)
    cdef Route passed(self, bytes name)
    cdef void forget(self) noexcept
    cdef bint is_pressed(self) noexcept
    cdef int hesitates(self, Member member, Route route, int64_t begun) except -1
    cdef int erred(self, const char *word, int status) except -1
    cdef bint told(self, Route route) noexcept
