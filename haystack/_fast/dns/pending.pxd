# Questions that the control process has been asked to have answered, and who waits for the answers.
from libc.stdint cimport int64_t, uint8_t
from haystack._fast.dns.asker cimport Asker
from haystack._fast.dns.cache cimport Entry
from haystack._fast.dns.question cimport Question
from haystack._fast.dns.rate_limit cimport Limited
from haystack._fast.dns.responder cimport Responder
from haystack._fast.dns.times cimport Times
from haystack._fast.net.poller cimport Pollable, Poller

cdef class Waiter:
    cdef Asker asker
    cdef bytes packet       # the question in the asker's own words
    cdef bytes key          # what tells it from other waiters
    cdef int64_t since      # nanoseconds

    cdef int reply(self, Question *q, uint8_t *p, int size, Limited *verdict) except -1

cdef class Asked(Pollable):
    cdef Pending pending
    cdef bytes key          # of the question
    cdef bytes crowd        # of the question, and of those askers whom one answer does for
    cdef bytes client       # whose question it is
    cdef int64_t number
    cdef int64_t generation     # of kept answers when it was asked
    cdef dict waiters       # by their keys
    cdef Entry stale        # the answer that has ended; None: there is none
    cdef bint gave_stale

cdef class Pending:
    cdef Poller poller
    cdef Responder responder
    cdef object send        # called with the rows for the control process
    cdef list rows          # not sent yet
    cdef dict crowds        # lists of equal questions
    cdef dict by_number
    cdef dict clients       # waiters by client
    cdef readonly Py_ssize_t waiting
    cdef Py_ssize_t most
    cdef int64_t last
    cdef int64_t generation     # counts up when what was kept is forgotten
    cdef uint8_t *work      # where answers are written
    cdef readonly Times times   # from a question to its answer

    cdef bint has_room(self, Asker *asker) except -1
    cdef int ask(self, Waiter waiter, bytes key, Entry stale) except -1
    cdef int renew(self, bytes key, bytes packet, Asker *asker) except -1
    cdef Asked joined(self, Waiter waiter, bytes crowd, bytes client)
    cdef Asked begin(self, bytes key, bytes packet, Asker *asker, bint hot)
    cdef int give(self, Asked asked, Entry entry, bint stale) except -1
    cdef int keep(self, Entry entry) except -1
    cdef int end(self, Asked asked) except -1
