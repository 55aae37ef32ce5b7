# The log line, the trace and the outcome of an exchange that has ended.
from libc.stdint cimport int64_t
from haystack._fast.endpoint.endpoint cimport Member
from haystack._fast.exchange.exchange cimport Exchange
from haystack._fast.http1.head cimport Head

cdef int note_request(Exchange x, Head *h) except -1
cdef int note_try(Exchange x, Member member) except -1
cdef int note_failure(Exchange x, Member member) except -1
cdef int note_retry(Exchange x, Member member, const char *error) except -1
cdef int count_exchange(Exchange x, int64_t now) except -1
cdef int write_record(Exchange x, int64_t now) except -1
