# One request and its response: a leg on each side, the request's head, its route and its record. It has no socket.
from libc.stdint cimport int64_t
from haystack._fast.connection.leg cimport DownLeg, LegUser
from haystack._fast.endpoint.endpoint cimport Member, Route
from haystack._fast.exchange.candidates cimport Candidates
from haystack._fast.exchange.pending cimport PendingState
from haystack._fast.exchange.retry cimport RetryState
from haystack._fast.exchange.states cimport State
from haystack._fast.http1.head cimport Head
from haystack._fast.http1.method cimport Method
from haystack._fast.http1.trace_context cimport TraceContext
from haystack._fast.util.buffer cimport Buffer
from haystack._fast.util.linked_list cimport Link
from haystack._fast.worker.worker_state cimport WorkerState

cdef struct Request:
    Method method
    bint absolute               # its target names the host
    bint call                   # it is one of gRPC's, by its type
    bint expects                # the client sends its body once the endpoint has said 100 (RFC 9110, section 10.1.1)
    int rights                  # of the client whose request it is (networks.Right)
    int64_t judged              # bytes of the body that had come when its rate was last judged
    char identity[32]           # the X-Request-Id that it gets if it brings none
    TraceContext trace          # that it is part of, where traces are recorded

cdef struct Attempt:            # the way to an endpoint, beside what candidates, retries and pending keep
    int failure                 # the status that the last failed try would be answered with; 0: none failed
    int crowd                   # members that its service had when it was ready
    bint short_of               # the last try failed for want of a descriptor of ours, or the like
    bint in_queue               # of its service, until an endpoint has room
    int64_t joined              # when it came to stand there
    int64_t waited              # milliseconds that it stood there before
    int tries                   # so often it was sent to an endpoint, or that failed at once
    int64_t sampled_at          # when it was taken from one that may be silent, to see how soon another answers it; 0: it was not

cdef enum Told:                 # who is told of an exchange at its end
    ASKED = 1                   # the access log, or whoever follows traces
    NOTABLE = 2                 # whoever asks later what went wrong: it has failed, or was sent to another endpoint

cdef struct Piece:              # of the kept head
    unsigned int at
    int size

cdef struct Noted:              # where in the kept head stands what is told of it at the end
    bint there                  # what follows holds
    int minor                   # of its HTTP version
    Piece method, host, target, identity, referrer, agent, trace_id     # size 0: it has none

cdef struct Record:             # what is told and counted of it
    int told                    # Told
    bint reused                 # its endpoint's connection had carried others
    int spoken                  # 1 + the Protocol of the endpoint that was tried last; 0: none was
    int status
    const char *error           # RFC 9209, section 2.3
    const char *retried         # the same of the first endpoint that it was taken away from; NULL: of none
    int64_t received, sent      # bytes of the bodies
    int64_t t_start, t_routed, t_connected, t_first     # nanoseconds; 0: never reached
    Buffer tried                # labels of the endpoints, a NUL behind each
    Noted noted

cdef class Exchange(LegUser):
    cdef WorkerState worker
    cdef State state
    cdef Link link              # among those in flight on the same endpoint
    cdef Route route
    cdef Member member
    cdef Member named           # by the request's sticky cookie; None: by none
    cdef Member accused         # failed at this request, which was then sent to another endpoint; None: none has
    cdef list blamed            # (endpoint, its stops) for each that broke it off and may have seen it; None: none has
    cdef Buffer head            # as it came; empty: it could not be read
    cdef Buffer kept            # what is kept of the body, for another try
    cdef Request request
    cdef Attempt attempt
    cdef RetryState retries
    cdef Candidates candidates
    cdef PendingState wait
    cdef Record record
    cdef bytes detail           # the error in words; None: there is none

    cdef int begin(self, WorkerState worker, DownLeg down) except -1
    cdef Head *request_head(self, Head *own) noexcept
    cdef int gather(self) except -1
    cdef int keep(self, const char *data, size_t size) except -1
    cdef int64_t slice(self) noexcept
    cdef int check_rate(self) except -1
    cdef int count_answer(self, int status) except -1
    cdef bint is_answered(self) except -1
    cdef int fail(self, int status, const char *error, bytes detail) except -1
    cdef int answer(self, int status, const char *error, bytes detail) except -1
    cdef int detach(self, bint reusable) except -1
    cdef int completed(self, bint reusable) except -1
    cdef bytes host_name(self)
    cdef int cut(self) except -1
    cdef DownLeg end(self)
    cdef bint is_raw(self) noexcept
    cdef int recycle(self) except -1
