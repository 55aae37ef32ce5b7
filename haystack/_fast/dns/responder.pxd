# What a query is answered with.
from libc.stdint cimport int64_t, uint8_t, uint64_t
from haystack._fast.dns.asker cimport Asker
from haystack._fast.dns.askers cimport Askers
from haystack._fast.dns.cache cimport Cache, Entry
from haystack._fast.dns.message cimport Message
from haystack._fast.dns.query_log cimport QueryLog
from haystack._fast.dns.question cimport Question
from haystack._fast.dns.rotation cimport Rotation
from haystack._fast.dns.records cimport Own
from haystack._fast.dns.zone cimport Node, Zone

cdef enum Verdict:
    SILENCE = 0             # nothing is to be sent
    FORWARD = -1            # it is not ours, and not in the cache

cdef enum Source:
    ZONE = 0
    CACHE
    UPSTREAM
    NOBODY                  # an error of our own
    SOURCES

cdef enum:
    KINDS = 13              # of questions that are counted apart
    RCODES = 17

cdef class Responder:
    cdef readonly Zone zone
    cdef readonly Cache cache
    cdef Rotation rotation
    cdef bytes own4         # Haystack's own addresses as they are set, one behind the other
    cdef bytes own6
    cdef bint own_set
    cdef Node peers         # other Haystacks that live, by the network of who asks; None: there is none
    cdef Node everybody     # the same, and this one as it is reached from outside; None: that is not known
    cdef uint8_t joined4[256]           # its own addresses and theirs, as last asked for
    cdef uint8_t joined6[1024]
    cdef public bint held   # more is to come: what is not known yet may exist
    cdef public object on_fault
    cdef int64_t now        # milliseconds
    cdef Entry stale        # the answer that has ended, of the question that is to be forwarded; None: there is none
    cdef bint hot           # the answer just given from the cache is about to end, and is to be asked for anew
    cdef Question question  # the one answered last
    cdef readonly Askers askers
    cdef public QueryLog log            # None: there is none
    cdef int source         # of the answer just given, as a Source
    cdef int rcode          # of that answer
    cdef uint64_t counts[SOURCES][KINDS][RCODES]

    cdef int answer(self, const uint8_t *packet, Py_ssize_t size, Asker *asker, uint8_t *p) except -2
    cdef int give(self, Entry entry, Question *q, Asker *asker, uint8_t *p, Source source, bint stale) except -2
    cdef int refuse(self, Question *q, Asker *asker, uint8_t *p, int rcode, bytes options) except -2
    cdef void count(self, Source source, int kind, int rcode) noexcept
    cdef void record(self, Question *q, Asker *asker, int limited, int64_t ns) noexcept
    cdef int refuse_unread(self, Question *q, uint8_t *p) except -2
    cdef int look_up(self, Question *q, Asker *asker, uint8_t *p) except -2
    cdef int look_beyond(self, Entry entry, Question *q, Asker *asker, uint8_t *p) except -2
    cdef int give_kept(self, Entry entry, Question *q, Asker *asker, uint8_t *p) except -2
    cdef int tell(self, Node node, Question *q, Asker *asker, uint8_t *p) except -2
    cdef Node follow(self, Message *m, Node node, Question *last, Asker *asker, int *owner, int *links)
    cdef int end_chain(self, Message *m, Question *q) except -2
    cdef int lead_out(self, Message *m, Question *q, Asker *asker, uint8_t *p) except -2
    cdef int fill(self, Message *m, Node node, int owner, Question *q, Asker *asker) except -1
    cdef void set_own(self, Own *own, Asker *asker) noexcept
    cdef int set_all(self, Own *own, Asker *asker) except -1
    cdef bint is_own_reverse(self, Question *q, Asker *asker) noexcept
    cdef int truncate(self, Question *q, Asker *asker, uint8_t *p) noexcept
    cdef int overload(self, Asker *asker, uint8_t *p) except -2
